// Clock: what time it is for the sound device.
//
// Promises: steady time that never goes back, in nanoseconds. Everything that plays asks a Clock and never the system,
// so that tests play hours in no time. Thread safety: every call, from any thread.
#pragma once

#include <chrono>

namespace dmmap::sound {

using Time = std::chrono::steady_clock::time_point;
using Nanoseconds = std::chrono::nanoseconds;

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  [[nodiscard]] virtual Time now() const = 0;
};

/// The machine's CLOCK_MONOTONIC (clock_gettime(2)).
class MachineClock final : public Clock {
 public:
  [[nodiscard]] Time now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace dmmap::sound
