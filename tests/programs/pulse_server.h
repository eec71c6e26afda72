// PulseServer: a real PulseAudio of a test's own.
//
// Promises: it has only the modules that the test names, and its socket in a folder of its own. The constructor returns
// when it answers; the destructor ends it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/mounts.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

class PulseServer {
 public:
  /// `before`: words of a command that runs it.
  explicit PulseServer(const std::vector<std::string>& modules, std::vector<std::string> before = {})
      : modules_(modules), before_(std::move(before)) {
    begin();
  }
  PulseServer(const PulseServer&) = delete;
  PulseServer& operator=(const PulseServer&) = delete;
  ~PulseServer() { end(); }

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] std::string log() const { return process_->err(); }
  [[nodiscard]] Process& process() { return *process_; }
  /// What its clients need in their environment.
  [[nodiscard]] ProcessOptions client() const {
    return {.environment = environment(directory_.path()), .directory = directory_.path(), .user = {}};
  }
  /// The words of that environment.
  [[nodiscard]] std::vector<std::string> environment() const { return environment(directory_.path()); }
  /// Again, after end(), at the same socket.
  void begin() {
    std::vector<std::string> words = command(directory_ / "native", modules_);
    words.insert(words.begin(), before_.begin(), before_.end());
    process_.emplace(words, client());
    ready_ = wait_until(
        [this] {
          return run({"pactl", "info"}, std::chrono::seconds(5), client()).status == 0;
        },
        std::chrono::seconds(20));
  }
  void end() {
    process_->kill(SIGTERM);
    process_->wait(std::chrono::seconds(20));
  }

 private:
  static std::vector<std::string> environment(const std::filesystem::path& folder) {
    return {"HOME=" + folder.string(), "XDG_RUNTIME_DIR=" + folder.string(),
            "PULSE_SERVER=unix:" + (folder / "native").string()};
  }
  static std::vector<std::string> command(const std::filesystem::path& socket,
                                          const std::vector<std::string>& modules) {
    std::vector<std::string> argv{"pulseaudio",
                                  "-n",
                                  "--daemonize=no",
                                  "--use-pid-file=no",
                                  "--exit-idle-time=-1",
                                  "--disable-shm=yes",
                                  "--high-priority=no",
                                  "--realtime=no",
                                  "-L",
                                  "module-native-protocol-unix auth-anonymous=1 socket=" + socket.string()};
    for (const std::string& module : modules) {
      argv.insert(argv.end(), {"-L", module});
    }
    return argv;
  }

  TemporaryDirectory directory_;
  std::vector<std::string> modules_;
  std::vector<std::string> before_;
  std::optional<Process> process_;
  bool ready_ = false;
};

}  // namespace dmmap::testing
