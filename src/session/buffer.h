// Buffers that requests are received into, used again and again.
#pragma once

#include <dmmap/thread_safety.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace dmmap::session {

/// Bytes with one owner. Empty when moved from.
struct Buffer {
  std::unique_ptr<std::byte[]> bytes;  // NOLINT(modernize-avoid-c-arrays)
  std::size_t size = 0;
  [[nodiscard]] std::span<std::byte> span() const { return {bytes.get(), size}; }
};

/// Thread safety: every call, from any thread.
class BufferPool {
 public:
  explicit BufferPool(std::size_t size) : size_(size) {}

  [[nodiscard]] Buffer take() DMMAP_EXCLUDES(lock_) {
    {
      const MutexLock lock(lock_);
      if (!free_.empty()) {
        Buffer buffer = std::move(free_.back());
        free_.pop_back();
        return buffer;
      }
    }
    // Not cleared: only the pages that a request really fills are to take memory.
    return {std::unique_ptr<std::byte[]>(new std::byte[size_]), size_};  // NOLINT(modernize-avoid-c-arrays)
  }

  void put(Buffer buffer) DMMAP_EXCLUDES(lock_) {
    const MutexLock lock(lock_);
    if (free_.size() < kKept) {
      free_.push_back(std::move(buffer));
    }
  }

 private:
  static constexpr std::size_t kKept = 8;
  const std::size_t size_;
  Mutex lock_;
  std::vector<Buffer> free_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::session
