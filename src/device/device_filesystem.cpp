#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <vector>

#include "device/devices.h"
#include "device/stream_state.h"
#include "protocol/map_protocol.h"

namespace dmmap {

namespace {

// Inodes are fresh at each lookup and a device's attributes may change at any time, so the kernel caches neither.
constexpr std::chrono::nanoseconds kUncached{0};
// But those of a paged file are changed by the kernel itself, or by way of it. It asks for them at each read(2), and at
// each write(2) into the writeback cache, which PagedRegion::read and write are: a round trip where there need be none.
constexpr std::chrono::seconds kCached{1};

/// An open of a file that shows one region to all.
class RegionStream final : public Stream {
 public:
  explicit RegionStream(std::shared_ptr<Region> region) : region_(std::move(region)) {}
  // As of any file: what is mapped for reading may be made writable, if the file is open for that.
  Result<Grant> map(const MapRequest& request) override {
    return Grant{.region = region_, .offset = request.offset, .may_become_writable = true};
  }

 private:
  std::shared_ptr<Region> region_;
};

}  // namespace

DeviceFilesystem::DeviceFilesystem() : devices_(std::make_unique<Devices>()) {}
DeviceFilesystem::~DeviceFilesystem() = default;

Result<void> DeviceFilesystem::add(DeviceOptions options, OpenStream open) {
  return devices_->add(std::move(options), std::move(open), nullptr);
}

Result<void> DeviceFilesystem::add_file(DeviceOptions options, std::shared_ptr<Region> region) {
  if (!region) {
    return fail(EINVAL, "a file needs a region");
  }
  auto open = [region](const OpenRequest& request) -> Result<std::shared_ptr<Stream>> {
    if ((request.flags & O_TRUNC) != 0) {
      // Ignored by what can't be truncated, as open(2) of a device does.
      static_cast<void>(Devices::truncate(region, 0));
    }
    return std::make_shared<RegionStream>(region);
  };
  options.own_io = false;
  return devices_->add(std::move(options), std::move(open), std::move(region));
}

std::optional<NodeId> DeviceFilesystem::node_of(std::string_view name) {
  return devices_->find_node(name);
}

std::optional<std::uint64_t> DeviceFilesystem::inode_of(std::string_view name) {
  const auto node = devices_->find_node(name);
  const auto attributes = node ? devices_->attributes(*node) : std::nullopt;
  return attributes ? std::optional(attributes->ino) : std::nullopt;
}

std::size_t DeviceFilesystem::open_streams() const {
  return devices_->open_streams();
}

void DeviceFilesystem::mounted(Connection& connection) {
  MappedFilesystem::mounted(connection);
  devices_->mounted(connection);
}

void DeviceFilesystem::lookup(const LookupRequest& request, Reply<Entry> reply) {
  const auto node = request.node == kRootNode ? devices_->find_node(request.name) : std::nullopt;
  if (!node) {
    reply.error(ENOENT);
    return;
  }
  Entry entry;
  entry.node = *node;
  entry.attributes = devices_->attributes(*node).value_or(Attributes{});
  reply.ok(entry);
}

void DeviceFilesystem::getattr(const GetattrRequest& request, Reply<AttributesReply> reply) {
  const auto attributes = devices_->attributes(request.node);
  if (!attributes) {
    reply.error(ENOENT);
    return;
  }
  reply.ok({*attributes, shows_paged(request.node) ? kCached : kUncached});
}

void DeviceFilesystem::setattr(const SetattrRequest& request, Reply<AttributesReply> reply) {
  if (const auto changed = devices_->change(request); !changed) {
    reply.error(changed.error().code);
    return;
  }
  reply.ok({devices_->attributes(request.node).value_or(Attributes{}), kUncached});
}

Result<OpenedFile> DeviceFilesystem::open_file(const OpenRequest& request) {
  const auto device = devices_->of_node(request.node);
  if (!device) {
    return fail(ENOENT, "no such device");
  }
  auto stream = device->open(request);
  if (!stream) {
    return tl::unexpected(stream.error());
  }
  const HandleId handle = devices_->next_handle();
  (*stream)->state_->opened(*this, devices_->connection(), handle);
  devices_->opened(handle, std::move(*stream));
  return OpenedFile{.handle = handle, .stream = !device->options.seekable, .own_io = device->options.own_io};
}

Result<Grant> DeviceFilesystem::map(const MapRequest& request) {
  const auto stream = devices_->stream(request.handle);
  return stream ? stream->map(request) : fail(EBADF, "no such handle");
}

void DeviceFilesystem::unmapped(const MapRequest& request, const Grant& grant) {
  if (const auto stream = devices_->stream(request.handle)) {
    stream->unmapped(request, grant);
  }
}

void DeviceFilesystem::released(const ReleaseRequest& request) {
  if (const auto stream = devices_->closed(request.handle)) {
    stream->released();
  }
}

void DeviceFilesystem::read_file(const ReadRequest& request, Reply<Data> reply) {
  const auto stream = devices_->stream(request.handle);
  stream ? stream->read(request, std::move(reply)) : static_cast<void>(reply.error(EBADF));
}

void DeviceFilesystem::write_file(const WriteRequest& request, Reply<Written> reply) {
  const auto stream = devices_->stream(request.handle);
  stream ? stream->write(request, std::move(reply)) : static_cast<void>(reply.error(EBADF));
}

void DeviceFilesystem::ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) {
  const auto stream = devices_->stream(request.handle);
  stream ? stream->ioctl(request, std::move(reply)) : static_cast<void>(reply.error(ENOTTY));
}

void DeviceFilesystem::flush(const FlushRequest& request, Reply<Done> reply) {
  const auto stream = devices_->stream(request.handle);
  stream ? stream->flush(request, std::move(reply)) : static_cast<void>(reply.ok({}));
}

void DeviceFilesystem::fsync(const FsyncRequest& request, Reply<Done> reply) {
  const auto stream = devices_->stream(request.handle);
  stream ? stream->fsync(request, std::move(reply)) : static_cast<void>(reply.error(EBADF));
}

void DeviceFilesystem::poll(const PollRequest& request, Reply<PollReady> reply) {
  const auto stream = devices_->stream(request.handle);
  if (!stream) {
    reply.error(EBADF);
    return;
  }
  // Noted before the look, so that a change right after the look finds whom to tell.
  if (request.schedule_notify) {
    stream->state_->wait(request.poll_handle);
  }
  reply.ok({stream->poll(request.events)});
}

void DeviceFilesystem::getxattr(const GetxattrRequest& request, Reply<Xattr> reply) {
  const auto device = devices_->of_node(request.node);
  if (!device || request.name != protocol::map::kDeviceAttribute || !device->options.character_device) {
    reply.error(ENODATA);
    return;
  }
  const DeviceNumber& number = *device->options.character_device;
  const std::string text = fmt::format("{}:{} {}", number.major, number.minor, device->options.name);
  reply.ok({std::as_bytes(std::span(text))});
}

void DeviceFilesystem::opendir(const OpendirRequest& /*request*/, Reply<Opened> reply) {
  reply.ok({});
}
void DeviceFilesystem::releasedir(const ReleasedirRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}

void DeviceFilesystem::readdir(const ReaddirRequest& request, Reply<DirectoryListing> reply) {
  const std::vector<DeviceOptions> devices = devices_->list();
  std::vector<DirectoryEntry> entries{{".", kRootNode.value, 1, DT_DIR}, {"..", kRootNode.value, 2, DT_DIR}};
  for (const DeviceOptions& device : devices) {
    const std::uint64_t next = entries.size() + 1;
    entries.push_back({device.name, next - 1, next, DT_REG});
  }
  const std::size_t seen = std::min<std::uint64_t>(request.offset, entries.size());
  reply.ok({std::span(entries).subspan(seen)});
}

void DeviceFilesystem::statfs(const StatfsRequest& /*request*/, Reply<FilesystemStatus> reply) {
  FilesystemStatus status;
  status.files = devices_->list().size();
  reply.ok(status);
}

}  // namespace dmmap
