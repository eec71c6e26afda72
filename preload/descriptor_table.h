// DescriptorTable: what is known of this process's descriptors, by number.
//
// Promises: a number that may have come to name another file is unknown again as soon as one of the calls that this
// library stands before has made it so; one that was closed and opened behind its back can be taken for foreign, and is
// then mapped as without the library. Thread safety: every call, from any thread and signal handler; no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace dmmap::preload {

class DescriptorTable {
 public:
  /// Of a file whose mappings aren't asked for.
  [[nodiscard]] bool is_foreign(int fd) const { return get(foreign_, fd); }
  void set_foreign(int fd) { put(foreign_, fd, true); }
  void set_unknown(int fd) {
    if (is_foreign(fd)) {
      put(foreign_, fd, false);
    }
  }

  /// Of a file that carries a grant out: the program isn't to close it.
  [[nodiscard]] bool is_held(int fd) const { return held_count_.load(std::memory_order_relaxed) > 0 && get(held_, fd); }
  [[nodiscard]] bool any_held() const { return held_count_.load(std::memory_order_relaxed) > 0; }
  void set_held(int fd, bool held) {
    put(held_, fd, held);
    held_count_.fetch_add(held ? 1 : -1, std::memory_order_relaxed);
  }
  /// The first held descriptor from `fd` on; -1 when there is none.
  [[nodiscard]] int next_held(unsigned fd) const;

 private:
  static constexpr unsigned kMost = 1U << 20U;  // fs.nr_open's default; of higher numbers nothing is known
  using Bits = std::array<std::atomic<std::uint64_t>, kMost / 64>;

  static bool get(const Bits& bits, int fd) {
    const auto number = static_cast<unsigned>(fd);
    return number < kMost && (bits[number / 64].load(std::memory_order_relaxed) >> number % 64 & 1U) != 0;
  }
  static void put(Bits& bits, int fd, bool value) {
    const auto number = static_cast<unsigned>(fd);
    if (number >= kMost) {
      return;
    }
    const std::uint64_t bit = std::uint64_t{1} << number % 64;
    if (value) {
      bits[number / 64].fetch_or(bit, std::memory_order_relaxed);
    } else {
      bits[number / 64].fetch_and(~bit, std::memory_order_relaxed);
    }
  }

  Bits foreign_{};
  Bits held_{};
  std::atomic<int> held_count_{0};
};

/// The process's one.
extern constinit DescriptorTable descriptors;  // NOLINT(bugprone-dynamic-static-initializers): constinit

}  // namespace dmmap::preload
