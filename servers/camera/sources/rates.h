// The rates that sources have.
//
// Promises: with such a rate no time overflows. Thread safety: every function, from any thread.
#pragma once

#include "servers/camera/picture/picture.h"

namespace dmmap::camera {

inline constexpr unsigned kMostRate = 1000;       ///< pictures a second
inline constexpr unsigned kLongestPeriod = 3600;  ///< seconds for a picture

[[nodiscard]] constexpr bool sensible(Rate rate) {
  return rate.numerator > 0 && rate.denominator > 0 && rate.numerator <= std::uint64_t{kMostRate} * rate.denominator &&
         rate.denominator <= std::uint64_t{kLongestPeriod} * rate.numerator;
}

}  // namespace dmmap::camera
