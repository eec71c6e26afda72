// Stream::State: what the library keeps about one open device.
#pragma once

#include <dmmap/device.h>
#include <dmmap/thread_safety.h>

#include <optional>
#include <utility>

namespace dmmap {

/// Thread safety: every call, from any thread; opened() before all others.
class Stream::State {
 public:
  void opened(DeviceFilesystem& filesystem, Connection* connection, HandleId handle) {
    filesystem_ = &filesystem;
    connection_ = connection;
    handle_ = handle;
  }

  /// REQUIRES: opened().
  [[nodiscard]] DeviceFilesystem& filesystem() const { return *filesystem_; }
  [[nodiscard]] std::shared_ptr<Region> granted() const {
    return filesystem_ != nullptr ? filesystem_->granted(handle_) : nullptr;
  }

  /// Somebody waits, and is to be told through `handle`.
  void wait(PollHandle handle) DMMAP_EXCLUDES(lock_) {
    const MutexLock lock(lock_);
    waiting_ = handle;
  }
  void wake() DMMAP_EXCLUDES(lock_) {
    std::optional<PollHandle> waiting;
    {
      const MutexLock lock(lock_);
      waiting = std::exchange(waiting_, std::nullopt);
    }
    if (waiting && connection_ != nullptr) {
      connection_->notifier().poll(*waiting);
    }
  }

 private:
  DeviceFilesystem* filesystem_ = nullptr;
  Connection* connection_ = nullptr;
  HandleId handle_;
  Mutex lock_;
  std::optional<PollHandle> waiting_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap
