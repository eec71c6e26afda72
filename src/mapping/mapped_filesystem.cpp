#include <dmmap/mapping.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "mapping/grants.h"

namespace dmmap {

namespace {

bool may_write(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY;
}
bool opened_for_writing_only(int flags) {
  return (flags & O_ACCMODE) == O_WRONLY;
}

}  // namespace

MappedFilesystem::MappedFilesystem() : grants_(std::make_unique<Grants>(*this)) {}
MappedFilesystem::~MappedFilesystem() = default;

Result<Grant> MappedFilesystem::map(const MapRequest& /*request*/) {
  return fail(ENODEV, "this file has nothing to map");
}

void MappedFilesystem::released(const ReleaseRequest& /*request*/) {}
void MappedFilesystem::unmapped(const MapRequest& /*request*/, const Grant& /*grant*/) {}

std::vector<RegionUse> MappedFilesystem::regions() const {
  return grants_->in_use();
}

std::shared_ptr<Region> MappedFilesystem::granted(HandleId handle) const {
  return grants_->of_handle(handle);
}

bool MappedFilesystem::shows_paged(NodeId node) const {
  return grants_->paged().shows(node);
}

void MappedFilesystem::mounted(Connection& connection) {
  grants_->mounted(connection);
}

void MappedFilesystem::unmounted() {
  grants_->mmaps().unmounted();
  grants_->kernel().unmounted();
  for (const Grants::Open& open : grants_->all()) {
    if (!session::is_library_handle(open.handle)) {
      ReleaseRequest request;
      request.node = open.node;
      request.handle = open.handle;
      released(request);
    }
    grants_->remove(open.handle);
  }
  grants_->unmounted();
}

std::span<session::Interceptor* const> MappedFilesystem::interceptors() {
  return grants_->interceptors();
}

void MappedFilesystem::fsync(const FsyncRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}

void MappedFilesystem::lseek(const LseekRequest& request, Reply<Seeked> reply) {
  const auto region = granted(request.handle);
  if (!region || request.offset >= region->size()) {
    reply.error(ENXIO);
    return;
  }
  reply.ok({request.whence == SEEK_DATA ? request.offset : region->size()});
}

void MappedFilesystem::getxattr(const GetxattrRequest& /*request*/, Reply<Xattr> reply) {
  reply.error(ENODATA);
}

void MappedFilesystem::flush(const FlushRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}

void MappedFilesystem::open(const OpenRequest& request, Reply<Opened> reply) {
  const auto file = open_file(request);
  if (!file) {
    reply.error(file.error().code);
    return;
  }
  const auto undo = [&] {
    ReleaseRequest release;
    release.node = request.node;
    release.handle = file->handle;
    released(release);
    grants_->remove(file->handle);
  };
  auto opened = carry_out(request, *file);
  if (!opened) {
    undo();
    reply.error(opened.error().code);
    return;
  }
  opened->stream = file->stream && !opened->backing && opened->direct_io;
  if (reply.ok(*opened) == Delivery::gone) {
    undo();
  }
}

Result<Opened> MappedFilesystem::carry_out(const OpenRequest& request, const OpenedFile& file) {
  // Such a descriptor can't be mapped at all (mmap(2), EACCES): it matters only what write(2) means, and where the node
  // shows a region already, that's clear.
  const bool for_writing_only = opened_for_writing_only(request.flags);
  const Asked asked{.handle = file.handle,
                    .own_io = file.own_io,
                    .may_read = !for_writing_only,
                    .may_write = may_write(request.flags),
                    .may_store = (request.flags & O_ACCMODE) == O_RDWR,
                    .opener = request.caller.pid};
  const auto without_region = [&](bool share) {
    return grants_->answer(request.node, asked, grants_->add_without(request.node, asked, share));
  };
  if (for_writing_only && (file.own_io || grants_->of_node(request.node))) {
    return without_region(true);
  }
  if (!grants_->asked_at_open()) {
    return without_region(for_writing_only);
  }
  MapRequest question;
  question.caller = request.caller;
  question.node = request.node;
  question.handle = file.handle;
  question.read = !for_writing_only;
  question.write = asked.may_write;
  question.node_region = grants_->of_node(request.node);
  const auto grant = map(question);
  if (!grant) {
    return without_region(for_writing_only);
  }
  if (grant->offset != 0 || !grant->pieces.empty()) {
    return fail(EINVAL, "a grant at open is one region, from offset 0 on");
  }
  return grants_->open_with(request.node, asked, grant->region);
}

void MappedFilesystem::release(const ReleaseRequest& request, Reply<Done> reply) {
  grants_->mmaps().released(request);
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
