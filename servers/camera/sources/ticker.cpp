#include "servers/camera/sources/ticker.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace dmmap::camera {

namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

Time Ticks::at(std::uint64_t number) const {
  // Whole seconds apart from the rest: nothing overflows, and nothing is rounded but the last nanosecond.
  const std::uint64_t periods = number * rate_.denominator;
  const std::uint64_t seconds = periods / rate_.numerator;
  const std::uint64_t rest = periods % rate_.numerator;
  return first_ + nanoseconds(seconds * kSecond + rest * kSecond / rate_.numerator);
}

std::uint64_t Ticks::latest(Time time) const {
  if (time <= first_) {
    return 0;
  }
  const double passed = std::chrono::duration<double>(time - first_).count();
  auto number = static_cast<std::uint64_t>(passed * rate_.numerator / rate_.denominator);
  // That may be off by a little where it's near a tick.
  while (number > 0 && at(number) > time) {
    --number;
  }
  while (at(number + 1) <= time) {
    ++number;
  }
  return number;
}

void Ticker::begin(Rate rate) {
  pause_.reset();
  ticks_ = Ticks(Clock::now(), rate);
  next_ = 0;
}

Result<Tick> Ticker::next() {
  const std::uint64_t number = std::max(next_, ticks_.latest(Clock::now()));
  const Time time = ticks_.at(number);
  if (!pause_.wait_until(time)) {
    return fail(ECANCELED, "nobody waits for a picture any more");
  }
  next_ = number + 1;
  return Tick{time, number};
}

}  // namespace dmmap::camera
