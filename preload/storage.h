// Storage: a growing array in memory of the kernel's, never given back.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <type_traits>

#include "preload/system.h"

namespace dmmap::preload {

/// REQUIRES: T is what zeros make it, or is written before it's read.
template <class T>
class Storage {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  [[nodiscard]] T& operator[](std::size_t at) { return base_[at]; }
  [[nodiscard]] const T& operator[](std::size_t at) const { return base_[at]; }
  [[nodiscard]] T* begin() { return base_; }
  [[nodiscard]] const T* begin() const { return base_; }

  /// Room for `count`. Zero, or a negative errno.
  long reserve(std::size_t count) {
    if (count <= room_) {
      return 0;
    }
    constexpr std::size_t kLeast = 4096;  // bytes
    std::size_t bytes = room_ == 0 ? kLeast : room_ * sizeof(T);
    while (bytes / sizeof(T) < count) {
      bytes *= 2;
    }
    const std::size_t old_bytes = room_bytes_;
    const long base = old_bytes == 0 ? system_call(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                     : system_call(SYS_mremap, base_, old_bytes, bytes, MREMAP_MAYMOVE, nullptr);
    if (is_error(base)) {
      return base;
    }
    base_ = reinterpret_cast<T*>(base);
    room_bytes_ = bytes;
    room_ = bytes / sizeof(T);
    return 0;
  }

 private:
  T* base_ = nullptr;
  std::size_t room_ = 0;  // of T
  std::size_t room_bytes_ = 0;
};

}  // namespace dmmap::preload
