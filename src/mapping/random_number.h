// Numbers that nobody can guess.
#pragma once

#include <sys/random.h>

#include <cstdint>

namespace dmmap::mapping {

/// From the kernel's generator (getrandom(2)). Thread safety: any thread.
[[nodiscard]] inline std::uint64_t random_number() {
  std::uint64_t number = 0;
  while (::getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  return number;
}

}  // namespace dmmap::mapping
