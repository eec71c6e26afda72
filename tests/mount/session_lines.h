// SessionLines: what a session of a test's says, to its log and its trace.
//
// Promises: a session may say something after this object has gone. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/session.h>

#include <memory>
#include <mutex>
#include <string>

namespace dmmap::testing {

class SessionLines {
 public:
  /// Has what a session with these options says come here.
  void listen(SessionOptions& options) {
    options.log = [lines = lines_](LogLevel, const std::string& text) { add(*lines, lines->log, text); };
    options.trace = [lines = lines_](const std::string& text) { add(*lines, lines->trace, text); };
  }
  [[nodiscard]] std::string log() const { return copy(lines_->log); }
  [[nodiscard]] std::string trace() const { return copy(lines_->trace); }

 private:
  struct Lines {
    std::mutex lock;
    std::string log;
    std::string trace;
  };
  static void add(Lines& lines, std::string& to, const std::string& text) {
    const std::lock_guard lock(lines.lock);
    to += text + "\n";
  }
  [[nodiscard]] std::string copy(const std::string& text) const {
    const std::lock_guard lock(lines_->lock);
    return text;
  }
  const std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
};

}  // namespace dmmap::testing
