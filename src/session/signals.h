// SIGINT, SIGTERM and SIGHUP as something to wait for.
//
// Promises: works whatever threads the program has and whatever they block, since it's a handler that writes to a pipe
// (signal-safety(7)). What was ignored before stays ignored, as shells and nohup(1) want it. The destructor restores
// what was there. One at a time in a process.
#pragma once

#include <dmmap/error.h>

#include <array>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include "transport/unique_fd.h"

namespace dmmap::session {

class SignalWatch {
 public:
  /// Calls `on_stop` for SIGINT and SIGTERM, `on_hangup` for SIGHUP, from a thread of its own.
  /// Errors: EBUSY when there is one already.
  static Result<std::unique_ptr<SignalWatch>> create(std::function<void()> on_stop, std::function<void()> on_hangup);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

 private:
  SignalWatch() = default;
  void run(const std::function<void()>& on_stop, const std::function<void()>& on_hangup);

  UniqueFd pipe_read_;
  UniqueFd pipe_write_;
  std::array<struct sigaction, 3> former_{};
  std::thread thread_;
};

}  // namespace dmmap::session
