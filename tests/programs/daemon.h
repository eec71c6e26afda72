// Daemon: a command of `dmmap` that serves a mount, started as a user would start it.
//
// Promises: the constructor returns when it says that it's ready. The destructor ends it, and takes away what it
// leaves. What it says goes to the test's log when a test fails.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/process.h"

namespace dmmap::testing {

class Daemon {
 public:
  /// `dmmap WORDS`, which says `ready_text` when it serves `mountpoint`. ready() says whether it came up.
  Daemon(std::vector<std::string> words, std::filesystem::path mountpoint, std::string_view ready_text,
         const ProcessOptions& options = {});
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] const std::filesystem::path& mountpoint() const { return mountpoint_; }
  /// What it has said so far.
  [[nodiscard]] std::string log() const { return process_.out() + process_.err(); }
  /// Whether it says `text` within a time that is long enough for any machine.
  [[nodiscard]] bool says(std::string_view text);
  [[nodiscard]] Process& process() { return process_; }
  /// Ends it as Ctrl-C does. A test failure when it doesn't end well.
  void end();

 private:
  std::filesystem::path mountpoint_;
  Process process_;
  bool ready_ = false;
};

}  // namespace dmmap::testing
