#include "device/devices.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace dmmap {

namespace {

constexpr std::size_t kLongestName = 255;  // NAME_MAX
constexpr std::uint64_t kFirstInode = 2;   // 1 is the root's
constexpr std::uint32_t kPermissions = 07777;

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

}  // namespace

Result<void> DeviceFilesystem::Devices::add(DeviceOptions options, OpenStream open, std::shared_ptr<Region> region) {
  const std::string& name = options.name;
  if (name.empty() || name == "." || name == ".." || name.size() > kLongestName ||
      name.find('/') != std::string::npos || name.find('\0') != std::string::npos) {
    return fail(EINVAL, fmt::format("'{}' can't be a device's name", name));
  }
  const MutexLock lock(lock_);
  if (std::any_of(devices_.begin(), devices_.end(), [&](const Device& each) { return each.options.name == name; })) {
    return fail(EEXIST, fmt::format("there is a device '{}' already", name));
  }
  if (devices_.size() >= kMostDevices) {
    return fail(ENOSPC, fmt::format("at most {} devices", kMostDevices));
  }
  // A paged region is one inode's. A shared one isn't, and each open with an inode of its own is one less that can
  // meet EBUSY.
  const bool one_node = std::dynamic_pointer_cast<PagedRegion>(region) != nullptr;
  const std::uint64_t serial = one_node ? next_serial_.fetch_add(1) : 0;
  devices_.push_back({std::move(options), std::move(open), std::move(region), now(), serial});
  return {};
}

std::optional<NodeId> DeviceFilesystem::Devices::find_node(std::string_view name) {
  const MutexLock lock(lock_);
  const auto found =
      std::find_if(devices_.begin(), devices_.end(), [&](const Device& each) { return each.options.name == name; });
  if (found == devices_.end()) {
    return std::nullopt;
  }
  const auto index = static_cast<std::uint64_t>(found - devices_.begin());
  const std::uint64_t serial = found->serial != 0 ? found->serial : next_serial_.fetch_add(1);
  return NodeId{serial << kIndexBits | index};
}

std::optional<std::size_t> DeviceFilesystem::Devices::index_of(NodeId node) const {
  const std::uint64_t index = node.value & kMostDevices;
  const bool given = node.value >> kIndexBits != 0 && node.value >> kIndexBits < next_serial_.load();
  return given && index < devices_.size() ? std::optional<std::size_t>(index) : std::nullopt;
}

Attributes DeviceFilesystem::Devices::attributes_at(std::size_t index) const {
  const Device& device = devices_[index];
  Attributes attributes;
  attributes.ino = kFirstInode + index;
  attributes.size = device.region ? device.region->size() : device.options.size;
  attributes.mode = S_IFREG | (device.options.mode & kPermissions);
  attributes.uid = device.options.uid;
  attributes.gid = device.options.gid;
  attributes.atime = attributes.mtime = attributes.ctime = device.created;
  return attributes;
}

std::optional<Attributes> DeviceFilesystem::Devices::attributes(NodeId node) const {
  const MutexLock lock(lock_);
  if (node == kRootNode) {
    Attributes root;
    root.ino = kRootNode.value;
    root.mode = S_IFDIR | 0755;
    root.nlink = 2;
    root.uid = ::geteuid();
    root.gid = ::getegid();
    return root;
  }
  const auto index = index_of(node);
  return index ? std::optional(attributes_at(*index)) : std::nullopt;
}

Result<void> DeviceFilesystem::Devices::change(const SetattrRequest& request) {
  const MutexLock lock(lock_);
  const auto index = index_of(request.node);
  if (!index) {
    return fail(EPERM, "the directory of devices can't be changed");
  }
  if (request.size) {
    if (auto cut = truncate(devices_[*index].region, *request.size); !cut) {
      return cut;
    }
  }
  DeviceOptions& options = devices_[*index].options;
  options.mode = request.mode.value_or(options.mode) & kPermissions;
  options.uid = request.uid.value_or(options.uid);
  options.gid = request.gid.value_or(options.gid);
  return {};
}

Result<void> DeviceFilesystem::Devices::truncate(const std::shared_ptr<Region>& region, std::uint64_t size) {
  const auto paged = std::dynamic_pointer_cast<PagedRegion>(region);
  if (!paged) {
    return fail(EINVAL, "a device can't be truncated");  // truncate(2): EINVAL for what isn't a regular file
  }
  if (size > paged->max_size()) {
    return fail(EFBIG, fmt::format("the file may have at most {} bytes", paged->max_size()));
  }
  paged->set_size(size);
  return {};
}

std::optional<DeviceFilesystem::Devices::Device> DeviceFilesystem::Devices::of_node(NodeId node) const {
  const MutexLock lock(lock_);
  const auto index = index_of(node);
  return index ? std::optional(devices_[*index]) : std::nullopt;
}

std::vector<DeviceOptions> DeviceFilesystem::Devices::list() const {
  const MutexLock lock(lock_);
  std::vector<DeviceOptions> all;
  for (const Device& device : devices_) {
    all.push_back(device.options);
  }
  return all;
}

void DeviceFilesystem::Devices::opened(HandleId handle, std::shared_ptr<Stream> stream) {
  const MutexLock lock(lock_);
  streams_.emplace(handle, std::move(stream));
}

std::shared_ptr<Stream> DeviceFilesystem::Devices::stream(HandleId handle) const {
  const MutexLock lock(lock_);
  const auto found = streams_.find(handle);
  return found == streams_.end() ? nullptr : found->second;
}

std::shared_ptr<Stream> DeviceFilesystem::Devices::closed(HandleId handle) {
  const MutexLock lock(lock_);
  const auto found = streams_.find(handle);
  if (found == streams_.end()) {
    return nullptr;
  }
  auto stream = std::move(found->second);
  streams_.erase(found);
  return stream;
}

std::size_t DeviceFilesystem::Devices::open_streams() const {
  const MutexLock lock(lock_);
  return streams_.size();
}

}  // namespace dmmap
