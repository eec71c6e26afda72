// Attempts: when something that went away is tried again, and what the log hears of it.
//
// Promises: one message when it's gone and one when it's back, however many attempts lie between. Thread safety: one
// thread at a time.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "servers/sound/audio/clock.h"

namespace dmmap::sound {

/// How long what is outside of this process may take.
struct LivePatience {
  Nanoseconds retry = std::chrono::seconds(1);  ///< from a failure to the next attempt
  Nanoseconds stall = std::chrono::seconds(2);  ///< without anything moving, until it's taken for dead
  Nanoseconds end = std::chrono::seconds(2);    ///< for the rest, when the server ends
  Nanoseconds rest = std::chrono::seconds(5);   ///< with nothing to do, until the device is given back
};

class Attempts {
 public:
  /// `name` is what the user called it: "pulse:speakers".
  Attempts(std::string name, LogSink log, Nanoseconds retry)
      : name_(std::move(name)), log_(std::move(log)), retry_(retry) {}

  [[nodiscard]] bool due(Time now) const { return now >= next_; }
  [[nodiscard]] Time next() const { return next_; }
  /// Between a failure and the next success.
  [[nodiscard]] bool failing() const { return failing_; }

  void failed(Time now, const Error& error) {
    next_ = now + retry_;
    if (!std::exchange(failing_, true)) {
      log_(LogLevel::warning, name_ + ": " + error.message + "; it's tried again every second");
    }
  }
  /// It works; `what` says how.
  void succeeded(const std::string& what) {
    const bool back = std::exchange(failing_, false);
    if (back || !std::exchange(seen_, true)) {
      log_(LogLevel::info, name_ + (back ? " is back: " : ": ") + what);
    }
  }

 private:
  std::string name_;
  LogSink log_;
  Nanoseconds retry_;
  Time next_{};
  bool failing_ = false;
  bool seen_ = false;
};

}  // namespace dmmap::sound
