// A readable line for each request and each reply, when somebody wants them.
//
// "#12 LOOKUP node 1 uid 0 pid 77: "dsp"" and, when it's answered, "#12 LOOKUP = node 5 ... (45 us)".
// Thread safety: every call, from any thread.
#pragma once

#include <dmmap/requests.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace dmmap::session {

class Trace {
 public:
  using Sink = std::function<void(const std::string&)>;
  explicit Trace(Sink sink) : sink_(std::move(sink)) {}

  /// Whether lines are wanted: making them costs more than most requests.
  [[nodiscard]] bool on() const { return static_cast<bool>(sink_); }

  void request(std::string_view opcode, const Request& header, std::string_view text) const;
  void reply(std::string_view opcode, RequestId id, std::string_view text, std::chrono::nanoseconds latency) const;
  void notification(std::string_view text) const;

 private:
  Sink sink_;
};

}  // namespace dmmap::session
