// Ticker: when sources that make pictures by themselves make one.
//
// Promises: tick n is n periods after the first, to the nanosecond, however long it ticks and however late somebody
// comes: nothing adds up. A tick that nobody waited for is left out, and its number is missing. Thread safety:
// interrupt() from any thread; the rest from one.
#pragma once

#include <dmmap/error.h>

#include <cstdint>

#include "servers/camera/picture/picture.h"
#include "servers/camera/sources/pause.h"

namespace dmmap::camera {

struct Tick {
  Time time;
  std::uint64_t number = 0;
};

/// The times of all ticks. REQUIRES: a sensible() rate; ticks within 292 years.
class Ticks {
 public:
  Ticks(Time first, Rate rate) : first_(first), rate_(rate) {}
  [[nodiscard]] Time at(std::uint64_t number) const;
  /// The last that isn't later than `time`; 0 for one before the first.
  [[nodiscard]] std::uint64_t latest(Time time) const;

 private:
  Time first_;
  Rate rate_;
};

class Ticker {
 public:
  /// The first tick is now.
  void begin(Rate rate);
  /// Waits for the next tick. Errors: ECANCELED after interrupt(), until begin().
  [[nodiscard]] Result<Tick> next();
  void interrupt() { pause_.interrupt(); }

 private:
  Ticks ticks_{Time(), Rate()};
  std::uint64_t next_ = 0;
  Pause pause_;
};

}  // namespace dmmap::camera
