// Numbers as the database has them: 8 bytes each, the highest first, so that keys are in the numbers' order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace dmmap::store {

inline constexpr std::size_t kNumberSize = 8;  // bytes

[[nodiscard]] inline std::string encode(std::initializer_list<std::uint64_t> numbers) {
  std::string bytes;
  bytes.reserve(numbers.size() * kNumberSize);
  for (const std::uint64_t number : numbers) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>(number >> shift & 0xff));
    }
  }
  return bytes;
}

/// The `Count` numbers that `bytes` are; nothing when they're of another size.
template <std::size_t Count>
[[nodiscard]] std::optional<std::array<std::uint64_t, Count>> decode(std::string_view bytes) {
  if (bytes.size() != Count * kNumberSize) {
    return std::nullopt;
  }
  std::array<std::uint64_t, Count> numbers{};
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::uint64_t& number = numbers[at / kNumberSize];
    number = number << 8 | static_cast<unsigned char>(bytes[at]);
  }
  return numbers;
}

}  // namespace dmmap::store
