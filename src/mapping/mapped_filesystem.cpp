#include <dmmap/mapping.h>

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "mapping/grants.h"

namespace dmmap {

namespace {

bool opened_for_writing_only(int flags) {
  return (flags & O_ACCMODE) == O_WRONLY;
}

}  // namespace

MappedFilesystem::MappedFilesystem() : grants_(std::make_unique<Grants>()) {}
MappedFilesystem::~MappedFilesystem() = default;

Result<Grant> MappedFilesystem::map(const MapRequest& /*request*/) {
  return fail(ENODEV, "this file has nothing to map");
}

void MappedFilesystem::released(const ReleaseRequest& /*request*/) {}

std::shared_ptr<Region> MappedFilesystem::granted(HandleId handle) const {
  return grants_->of_handle(handle);
}

void MappedFilesystem::mounted(Connection& connection) {
  grants_->mounted(connection);
}

void MappedFilesystem::unmounted() {
  for (const Grants::Open& open : grants_->all()) {
    ReleaseRequest request;
    request.node = open.node;
    request.handle = open.handle;
    released(request);
    grants_->remove(open.handle);
  }
}

void MappedFilesystem::open(const OpenRequest& request, Reply<Opened> reply) {
  const auto file = open_file(request);
  if (!file) {
    reply.error(file.error().code);
    return;
  }
  ReleaseRequest undo;
  undo.node = request.node;
  undo.handle = file->handle;

  const auto backing = carry_out(request, file->handle);
  if (!backing) {
    released(undo);
    reply.error(backing.error().code);
    return;
  }
  Opened opened;
  opened.handle = file->handle;
  opened.direct_io = true;
  opened.backing = *backing;
  opened.stream = file->stream && !*backing;
  if (reply.ok(opened) == Delivery::gone) {
    released(undo);
    grants_->remove(file->handle);
  }
}

Result<std::shared_ptr<BackingId>> MappedFilesystem::carry_out(const OpenRequest& request, HandleId handle) {
  // Such a descriptor can't be mapped at all (mmap(2), EACCES), so it doesn't matter what it would show.
  if (opened_for_writing_only(request.flags)) {
    return grants_->add_without(request.node, handle, true);
  }
  MapRequest question;
  question.caller = request.caller;
  question.node = request.node;
  question.handle = handle;
  question.write = (request.flags & O_ACCMODE) == O_RDWR;
  question.node_region = grants_->of_node(request.node);
  const auto grant = map(question);
  if (!grant) {
    return grants_->add_without(request.node, handle, false);
  }
  const auto shared = std::dynamic_pointer_cast<SharedRegion>(grant->region);
  if (!shared) {
    return fail(EINVAL, "a grant without a region that this tier can map");
  }
  if (grant->offset != 0) {
    return fail(EINVAL, fmt::format("a grant at open starts at offset 0 of its region, not at {}", grant->offset));
  }
  return grants_->add(request.node, handle, shared);
}

void MappedFilesystem::release(const ReleaseRequest& request, Reply<Done> reply) {
  released(request);
  grants_->remove(request.handle);
  reply.ok({});
}

// A direct_io read(2) says who locks, a page being filled doesn't (fs/fuse/file.c, fuse_direct_io and fuse_readpages).
// Pages are filled only for MAP_PRIVATE mappings of files that were granted nothing: their touch is SIGBUS.
void MappedFilesystem::read(const ReadRequest& request, Reply<Data> reply) {
  if (!request.lock_owner) {
    reply.error(EIO);
    return;
  }
  read_file(request, std::move(reply));
}

void MappedFilesystem::write(const WriteRequest& request, Reply<Written> reply) {
  if (request.from_page_cache) {
    reply.error(EIO);
    return;
  }
  write_file(request, std::move(reply));
}

void MappedFilesystem::read_file(const ReadRequest& request, Reply<Data> reply) {
  const auto region = granted(request.handle);
  if (!region) {
    reply.error(EBADF);
    return;
  }
  const std::uint64_t left = request.offset < region->size() ? region->size() - request.offset : 0;
  std::vector<std::byte> bytes(std::min<std::uint64_t>(request.size, left));
  if (const auto done = region->read(request.offset, bytes); !done && !bytes.empty()) {
    reply.error(done.error().code);
    return;
  }
  reply.ok({bytes});
}

void MappedFilesystem::write_file(const WriteRequest& request, Reply<Written> reply) {
  const auto region = granted(request.handle);
  if (!region) {
    reply.error(EBADF);
    return;
  }
  const std::uint64_t left = request.offset < region->size() ? region->size() - request.offset : 0;
  const auto fitting = request.data.first(std::min<std::uint64_t>(request.data.size(), left));
  if (fitting.empty() && !request.data.empty()) {
    reply.error(ENOSPC);
    return;
  }
  if (const auto done = region->write(request.offset, fitting); !done && !fitting.empty()) {
    reply.error(done.error().code);
    return;
  }
  reply.ok({static_cast<std::uint32_t>(fitting.size())});
}

}  // namespace dmmap
