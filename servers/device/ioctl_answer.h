// IoctlAnswer: what comes of an ioctl, and how answers are made.
//
// Thread safety: every function, from any thread.
#pragma once

#include <dmmap/replies.h>
#include <dmmap/reply.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace dmmap::device {

/// An errno value, the bytes that are stored where the client's argument points, or both.
struct IoctlAnswer {
  int error = 0;
  std::vector<std::byte> output;
};

/// The answer that stores `value`.
template <class T>
[[nodiscard]] IoctlAnswer stored(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  IoctlAnswer answer;
  answer.output.resize(sizeof value);
  std::memcpy(answer.output.data(), &value, sizeof value);
  return answer;
}

/// The answer that stores an int; what is too large for one becomes the largest.
[[nodiscard]] inline IoctlAnswer number(std::uint64_t value) {
  return stored(static_cast<int>(std::min<std::uint64_t>(value, std::numeric_limits<int>::max())));
}

[[nodiscard]] inline IoctlAnswer error(int code) {
  return {code, {}};
}

/// Gives it to the client.
inline void give(const IoctlAnswer& answer, Reply<IoctlDone>& reply) {
  if (answer.error != 0 && answer.output.empty()) {
    reply.error(answer.error);
  } else {
    reply.ok({.result = -answer.error, .output = answer.output});
  }
}

/// What the client has there; nothing when it's shorter than that.
template <class T>
[[nodiscard]] std::optional<T> input_as(std::span<const std::byte> input) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (input.size() < sizeof(T)) {
    return std::nullopt;
  }
  T value{};
  std::memcpy(&value, input.data(), sizeof value);
  return value;
}

/// The answer of `answer` to the T that the client has there; EINVAL when that's shorter.
template <class T, class Answer>
[[nodiscard]] IoctlAnswer with(std::span<const std::byte> input, const Answer& answer) {
  const auto asked = input_as<T>(input);
  return asked ? answer(*asked) : error(EINVAL);
}

}  // namespace dmmap::device
