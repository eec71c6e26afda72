#include <poll.h>

#include <cerrno>

#include "device/stream_state.h"

namespace dmmap {

Stream::Stream() : state_(std::make_unique<State>()) {}
Stream::~Stream() = default;

Result<Grant> Stream::map(const MapRequest& /*request*/) {
  return fail(ENODEV, "this device has nothing to map");
}

void Stream::read(const ReadRequest& request, Reply<Data> reply) {
  state_->filesystem().MappedFilesystem::read_file(request, std::move(reply));
}

void Stream::write(const WriteRequest& request, Reply<Written> reply) {
  state_->filesystem().MappedFilesystem::write_file(request, std::move(reply));
}

void Stream::ioctl(const IoctlRequest& /*request*/, Reply<IoctlDone> reply) {
  reply.error(ENOTTY);
}
std::uint32_t Stream::poll(std::uint32_t events) {
  return events & (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
}
void Stream::flush(const FlushRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}
void Stream::fsync(const FsyncRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}
void Stream::unmapped(const MapRequest& /*request*/, const Grant& /*grant*/) {}
void Stream::released() {}

void Stream::wake_pollers() {
  state_->wake();
}
std::shared_ptr<Region> Stream::granted() const {
  return state_->granted();
}

}  // namespace dmmap
