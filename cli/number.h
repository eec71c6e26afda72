// Numbers on the command line.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace dmmap::cli {

/// All of `text` as a decimal number from `lowest` to `highest`; nothing if it's anything else.
[[nodiscard]] inline std::optional<unsigned> parse_number(std::string_view text, unsigned lowest, unsigned highest) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  const bool good = parsed.ec == std::errc() && parsed.ptr == end && value >= lowest && value <= highest;
  return good ? std::optional(value) : std::nullopt;
}

}  // namespace dmmap::cli
