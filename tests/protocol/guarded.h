// Bytes that end where readable memory ends.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>

namespace dmmap::protocol {

/// A few pages, the last of which can't be read: who reads past the end of what place() returns gets SIGSEGV.
/// Not thread-safe.
class Guarded {
 public:
  static constexpr std::size_t kRoom = 16384;  // a multiple of every page size that we meet

  Guarded() : pages_(::mmap(nullptr, 2 * kRoom, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (pages_ == MAP_FAILED || ::mprotect(start() + kRoom, kRoom, PROT_NONE) != 0) {
      throw std::bad_alloc();
    }
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { ::munmap(pages_, 2 * kRoom); }

  /// A copy of `bytes` (at most kRoom) that ends at the guard; good until the next call.
  std::span<std::byte> place(std::span<const std::byte> bytes) {
    const std::span<std::byte> copy(start() + kRoom - bytes.size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), copy.begin());
    return copy;
  }

 private:
  [[nodiscard]] std::byte* start() const { return static_cast<std::byte*>(pages_); }

  void* pages_;
};

}  // namespace dmmap::protocol
