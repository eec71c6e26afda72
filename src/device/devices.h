// DeviceFilesystem::Devices: the directory and the open streams.
//
// A nodeid is made of a serial number and the device's index, so that every LOOKUP gives an inode of its own and costs
// no memory: the kernel's inode is all that there is, until OPEN makes the stream.
#pragma once

#include <dmmap/device.h>
#include <dmmap/thread_safety.h>

#include <atomic>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dmmap {

/// Thread safety: every call, from any thread.
class DeviceFilesystem::Devices {
 public:
  struct Device {
    DeviceOptions options;
    OpenStream open;
    std::shared_ptr<Region> region;  // that all opens share, or null
    timespec created{};
    std::uint64_t serial = 0;  // of the one node; 0: each lookup gives another
  };

  Result<void> add(DeviceOptions options, OpenStream open, std::shared_ptr<Region> region) DMMAP_EXCLUDES(lock_);
  /// A node of the device that has this name: a fresh one, unless it has one for all.
  [[nodiscard]] std::optional<NodeId> find_node(std::string_view name) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::optional<Attributes> attributes(NodeId node) const DMMAP_EXCLUDES(lock_);
  Result<void> change(const SetattrRequest& request) DMMAP_EXCLUDES(lock_);
  /// What a truncation to `size` bytes does: EINVAL for what isn't a paged region's file, EFBIG beyond its max_size.
  static Result<void> truncate(const std::shared_ptr<Region>& region, std::uint64_t size);
  [[nodiscard]] std::optional<Device> of_node(NodeId node) const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::vector<DeviceOptions> list() const DMMAP_EXCLUDES(lock_);

  [[nodiscard]] HandleId next_handle() { return {next_handle_.fetch_add(1)}; }
  void opened(HandleId handle, std::shared_ptr<Stream> stream) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::shared_ptr<Stream> stream(HandleId handle) const DMMAP_EXCLUDES(lock_);
  std::shared_ptr<Stream> closed(HandleId handle) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::size_t open_streams() const DMMAP_EXCLUDES(lock_);

  void mounted(Connection& connection) { connection_.store(&connection); }
  [[nodiscard]] Connection* connection() const { return connection_.load(); }

 private:
  static constexpr unsigned kIndexBits = 16;
  static constexpr std::uint64_t kMostDevices = (1U << kIndexBits) - 1;
  /// The index that `node` carries, or nothing for the root and for nodes that were never given.
  [[nodiscard]] std::optional<std::size_t> index_of(NodeId node) const DMMAP_REQUIRES(lock_);
  [[nodiscard]] Attributes attributes_at(std::size_t index) const DMMAP_REQUIRES(lock_);

  std::atomic<Connection*> connection_{nullptr};
  std::atomic<std::uint64_t> next_handle_{1};
  std::atomic<std::uint64_t> next_serial_{1};
  mutable Mutex lock_;
  std::deque<Device> devices_ DMMAP_GUARDED_BY(lock_);
  std::unordered_map<HandleId, std::shared_ptr<Stream>> streams_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap
