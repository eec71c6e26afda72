#include "mapping/shared_copy.h"

#include <cstdint>
#include <cstring>

namespace dmmap::mapping {

namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

// Bytes up to the next word boundary of the shared side, at most `size`.
std::size_t bytes_to_boundary(const std::byte* shared, std::size_t size) {
  const std::size_t past = reinterpret_cast<std::uintptr_t>(shared) % kWord;  // NOLINT(*-reinterpret-cast)
  const std::size_t left = past == 0 ? 0 : kWord - past;
  return left < size ? left : size;
}

std::byte load(const std::byte* shared) {
  // NOLINTNEXTLINE(*-reinterpret-cast): bytes may be looked at as characters, which the builtin takes
  return std::byte{__atomic_load_n(reinterpret_cast<const unsigned char*>(shared), __ATOMIC_RELAXED)};
}

void store(std::byte* shared, std::byte value) {
  // NOLINTNEXTLINE(*-reinterpret-cast)
  __atomic_store_n(reinterpret_cast<unsigned char*>(shared), static_cast<unsigned char>(value), __ATOMIC_RELAXED);
}

}  // namespace

void copy_from_shared(std::byte* to, const std::byte* from, std::size_t size) {
  const std::size_t head = bytes_to_boundary(from, size);
  for (std::size_t i = 0; i < head; ++i) {
    to[i] = load(from + i);
  }
  const std::size_t words = (size - head) / kWord;
  // Aligned now, and the language's rule against other types is lifted for the atomic builtins by may_alias.
  using Word [[gnu::may_alias]] = std::uint64_t;
  const auto* source = reinterpret_cast<const Word*>(from + head);  // NOLINT(*-reinterpret-cast)
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint64_t word = __atomic_load_n(source + i, __ATOMIC_RELAXED);
    std::memcpy(to + head + i * kWord, &word, kWord);
  }
  for (std::size_t i = head + words * kWord; i < size; ++i) {
    to[i] = load(from + i);
  }
}

void copy_to_shared(std::byte* to, const std::byte* from, std::size_t size) {
  const std::size_t head = bytes_to_boundary(to, size);
  for (std::size_t i = 0; i < head; ++i) {
    store(to + i, from[i]);
  }
  const std::size_t words = (size - head) / kWord;
  using Word [[gnu::may_alias]] = std::uint64_t;
  auto* target = reinterpret_cast<Word*>(to + head);  // NOLINT(*-reinterpret-cast)
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + head + i * kWord, kWord);
    __atomic_store_n(target + i, word, __ATOMIC_RELAXED);
  }
  for (std::size_t i = head + words * kWord; i < size; ++i) {
    store(to + i, from[i]);
  }
}

}  // namespace dmmap::mapping
