// SharedBytes: memory that a process shares with the children that it forks.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>

#include "bench/must.h"

namespace dmmap::bench {

class SharedBytes {
 public:
  /// Throws std::runtime_error where there's not so much.
  explicit SharedBytes(std::size_t size)
      : base_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)),
        size_(size) {
    must(base_ != MAP_FAILED, "mmap");
  }
  SharedBytes(const SharedBytes&) = delete;
  SharedBytes& operator=(const SharedBytes&) = delete;
  ~SharedBytes() { ::munmap(base_, size_); }

  [[nodiscard]] std::span<std::byte> bytes() const { return {static_cast<std::byte*>(base_), size_}; }

 private:
  void* base_;
  std::size_t size_;
};

}  // namespace dmmap::bench
