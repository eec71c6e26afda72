// What tests ask of logs and traces.
#pragma once

#include <cstddef>
#include <string>

namespace dmmap::testing {

/// How often `part`, which isn't empty, is in `text`.
[[nodiscard]] inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace dmmap::testing
