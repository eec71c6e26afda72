// Filesystem: what a FUSE server implements, one call a request.
//
// Promises: every request of the protocol arrives here decoded and checked; what isn't overridden is answered ENOSYS
// (for access, flush, fsync and the like the kernel then stops asking). Each call must answer its Reply, now or later,
// here or on another thread. Thread safety: calls come from any thread of the session, several at a time when
// SessionOptions::threads > 1. A call must not wait for another request of the same mount: not for a notification to
// finish, nor for I/O on its own files.
#pragma once

#include <dmmap/connection.h>
#include <dmmap/reply.h>
#include <dmmap/requests.h>

#include <span>
#include <string>

namespace dmmap {

namespace session {
class Interceptor;
}

/// Base of every server.
class Filesystem {
 public:
  Filesystem() = default;
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;
  virtual ~Filesystem();

  /// INIT is done; `connection` lives as long as the session. Called once, before any other request.
  virtual void mounted(Connection& connection);
  /// No request will come any more, and all Replies that are still kept answer nobody. Every lookup that was not
  /// forgotten has been, by forget(). Called once, after the last request.
  virtual void unmounted();

  /// The last `nlookup` of `node`'s lookups is gone: the kernel doesn't know the node any more. Called once for each
  /// run of lookups; the library counts them, and counts an Entry that the kernel didn't take as never given.
  virtual void forget(NodeId node);

  virtual void lookup(const LookupRequest& request, Reply<Entry> reply);
  virtual void getattr(const GetattrRequest& request, Reply<AttributesReply> reply);
  virtual void setattr(const SetattrRequest& request, Reply<AttributesReply> reply);
  virtual void readlink(const ReadlinkRequest& request, Reply<Data> reply);
  virtual void symlink(const SymlinkRequest& request, Reply<Entry> reply);
  virtual void mknod(const MknodRequest& request, Reply<Entry> reply);
  virtual void mkdir(const MkdirRequest& request, Reply<Entry> reply);
  virtual void unlink(const UnlinkRequest& request, Reply<Done> reply);
  virtual void rmdir(const RmdirRequest& request, Reply<Done> reply);
  virtual void rename(const RenameRequest& request, Reply<Done> reply);
  virtual void link(const LinkRequest& request, Reply<Entry> reply);
  virtual void open(const OpenRequest& request, Reply<Opened> reply);
  virtual void read(const ReadRequest& request, Reply<Data> reply);
  virtual void write(const WriteRequest& request, Reply<Written> reply);
  virtual void statfs(const StatfsRequest& request, Reply<FilesystemStatus> reply);
  virtual void release(const ReleaseRequest& request, Reply<Done> reply);
  virtual void fsync(const FsyncRequest& request, Reply<Done> reply);
  virtual void setxattr(const SetxattrRequest& request, Reply<Done> reply);
  virtual void getxattr(const GetxattrRequest& request, Reply<Xattr> reply);
  virtual void listxattr(const ListxattrRequest& request, Reply<Xattr> reply);
  virtual void removexattr(const RemovexattrRequest& request, Reply<Done> reply);
  virtual void flush(const FlushRequest& request, Reply<Done> reply);
  virtual void opendir(const OpendirRequest& request, Reply<Opened> reply);
  virtual void readdir(const ReaddirRequest& request, Reply<DirectoryListing> reply);
  virtual void readdirplus(const ReaddirplusRequest& request, Reply<DirectoryListingPlus> reply);
  virtual void releasedir(const ReleasedirRequest& request, Reply<Done> reply);
  virtual void fsyncdir(const FsyncdirRequest& request, Reply<Done> reply);
  virtual void getlk(const GetlkRequest& request, Reply<LockState> reply);
  virtual void setlk(const SetlkRequest& request, Reply<Done> reply);
  virtual void setlkw(const SetlkwRequest& request, Reply<Done> reply);
  virtual void access(const AccessRequest& request, Reply<Done> reply);
  virtual void create(const CreateRequest& request, Reply<Created> reply);
  virtual void tmpfile(const TmpfileRequest& request, Reply<Created> reply);
  virtual void bmap(const BmapRequest& request, Reply<Block> reply);
  virtual void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply);
  virtual void poll(const PollRequest& request, Reply<PollReady> reply);
  /// ENOSYS is for the whole mount: the kernel doesn't ask again, and maps as it did without FUSE_MMAP.
  virtual void mmap(const MmapRequest& request, Reply<Mmapped> reply);
  virtual void munmap(const MunmapRequest& request, Reply<Done> reply);
  virtual void fallocate(const FallocateRequest& request, Reply<Done> reply);
  virtual void lseek(const LseekRequest& request, Reply<Seeked> reply);
  virtual void copy_file_range(const CopyFileRangeRequest& request, Reply<Copied> reply);
  virtual void setupmapping(const SetupmappingRequest& request, Reply<Done> reply);
  virtual void removemapping(const RemovemappingRequest& request, Reply<Done> reply);
  virtual void syncfs(const SyncfsRequest& request, Reply<Done> reply);
  virtual void statx(const StatxRequest& request, Reply<StatxReply> reply);

  /// The name that a trace shows for an ioctl's number, or "" for none that is known. Thread safety: any thread.
  [[nodiscard]] virtual std::string ioctl_name(std::uint32_t command) const;

  /// For the layers of the library that see requests first, in this order. The same ones as long as it lives.
  [[nodiscard]] virtual std::span<session::Interceptor* const> interceptors();
};

}  // namespace dmmap
