#include <dmmap/filesystem.h>

#include <cerrno>

namespace dmmap {

Filesystem::~Filesystem() = default;

void Filesystem::mounted(Connection& /*connection*/) {}
void Filesystem::unmounted() {}
void Filesystem::forget(NodeId /*node*/) {}
std::string Filesystem::ioctl_name(std::uint32_t /*command*/) const {
  return {};
}

std::span<session::Interceptor* const> Filesystem::interceptors() {
  return {};
}

// ENOSYS tells the kernel that the server hasn't the request at all: it does what it can itself, and for some (FLUSH,
// FSYNC, ACCESS, POLL, ...) doesn't ask again.
void Filesystem::lookup(const LookupRequest& /*request*/, Reply<Entry> reply) {
  reply.error(ENOSYS);
}
void Filesystem::getattr(const GetattrRequest& /*request*/, Reply<AttributesReply> reply) {
  reply.error(ENOSYS);
}
void Filesystem::setattr(const SetattrRequest& /*request*/, Reply<AttributesReply> reply) {
  reply.error(ENOSYS);
}
void Filesystem::readlink(const ReadlinkRequest& /*request*/, Reply<Data> reply) {
  reply.error(ENOSYS);
}
void Filesystem::symlink(const SymlinkRequest& /*request*/, Reply<Entry> reply) {
  reply.error(ENOSYS);
}
void Filesystem::mknod(const MknodRequest& /*request*/, Reply<Entry> reply) {
  reply.error(ENOSYS);
}
void Filesystem::mkdir(const MkdirRequest& /*request*/, Reply<Entry> reply) {
  reply.error(ENOSYS);
}
void Filesystem::unlink(const UnlinkRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::rmdir(const RmdirRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::rename(const RenameRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::link(const LinkRequest& /*request*/, Reply<Entry> reply) {
  reply.error(ENOSYS);
}
void Filesystem::open(const OpenRequest& /*request*/, Reply<Opened> reply) {
  reply.error(ENOSYS);
}
void Filesystem::read(const ReadRequest& /*request*/, Reply<Data> reply) {
  reply.error(ENOSYS);
}
void Filesystem::write(const WriteRequest& /*request*/, Reply<Written> reply) {
  reply.error(ENOSYS);
}
void Filesystem::statfs(const StatfsRequest& /*request*/, Reply<FilesystemStatus> reply) {
  reply.error(ENOSYS);
}
void Filesystem::release(const ReleaseRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}
void Filesystem::fsync(const FsyncRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::setxattr(const SetxattrRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::getxattr(const GetxattrRequest& /*request*/, Reply<Xattr> reply) {
  reply.error(ENOSYS);
}
void Filesystem::listxattr(const ListxattrRequest& /*request*/, Reply<Xattr> reply) {
  reply.error(ENOSYS);
}
void Filesystem::removexattr(const RemovexattrRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::flush(const FlushRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::opendir(const OpendirRequest& /*request*/, Reply<Opened> reply) {
  reply.error(ENOSYS);
}
void Filesystem::readdir(const ReaddirRequest& /*request*/, Reply<DirectoryListing> reply) {
  reply.error(ENOSYS);
}
void Filesystem::readdirplus(const ReaddirplusRequest& /*request*/, Reply<DirectoryListingPlus> reply) {
  reply.error(ENOSYS);
}
void Filesystem::releasedir(const ReleasedirRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}
void Filesystem::fsyncdir(const FsyncdirRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::getlk(const GetlkRequest& /*request*/, Reply<LockState> reply) {
  reply.error(ENOSYS);
}
void Filesystem::setlk(const SetlkRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::setlkw(const SetlkwRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::access(const AccessRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::create(const CreateRequest& /*request*/, Reply<Created> reply) {
  reply.error(ENOSYS);
}
void Filesystem::tmpfile(const TmpfileRequest& /*request*/, Reply<Created> reply) {
  reply.error(ENOSYS);
}
void Filesystem::bmap(const BmapRequest& /*request*/, Reply<Block> reply) {
  reply.error(ENOSYS);
}
void Filesystem::ioctl(const IoctlRequest& /*request*/, Reply<IoctlDone> reply) {
  reply.error(ENOSYS);
}
void Filesystem::poll(const PollRequest& /*request*/, Reply<PollReady> reply) {
  reply.error(ENOSYS);
}
void Filesystem::mmap(const MmapRequest& /*request*/, Reply<Mmapped> reply) {
  reply.error(ENOSYS);
}
void Filesystem::munmap(const MunmapRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}
void Filesystem::fallocate(const FallocateRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::lseek(const LseekRequest& /*request*/, Reply<Seeked> reply) {
  reply.error(ENOSYS);
}
void Filesystem::copy_file_range(const CopyFileRangeRequest& /*request*/, Reply<Copied> reply) {
  reply.error(ENOSYS);
}
void Filesystem::setupmapping(const SetupmappingRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::removemapping(const RemovemappingRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::syncfs(const SyncfsRequest& /*request*/, Reply<Done> reply) {
  reply.error(ENOSYS);
}
void Filesystem::statx(const StatxRequest& /*request*/, Reply<StatxReply> reply) {
  reply.error(ENOSYS);
}

}  // namespace dmmap
