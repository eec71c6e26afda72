// What a benchmark can't go on without.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace dmmap::bench {

/// Throws std::runtime_error, with errno's text, unless `good`.
inline void must(bool good, std::string_view what) {
  if (!good) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
  }
}

}  // namespace dmmap::bench
