// A client of a server under test, in a process of its own.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>

namespace dmmap::testing {

/// A process that runs `body`, which returns 0 when all was well, else a number that says where it wasn't.
class Client {
 public:
  explicit Client(const std::function<int()>& body);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// Kills it if it still runs.
  ~Client();

  [[nodiscard]] pid_t pid() const { return pid_; }
  void kill();
  /// Its status as waitpid(2) has it; -1 when it hasn't ended within ten seconds, and is killed then.
  int wait();

 private:
  pid_t pid_;
  std::optional<int> status_;
};

/// Runs `body` in a process of its own; its number. -1 when it was ended by a signal, or hung.
int run_client(const std::function<int()>& body);

}  // namespace dmmap::testing
