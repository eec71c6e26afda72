// What a server answers, one struct per kind of answer.
//
// Promises: plain values; the spans in them need to live only until Reply::ok has returned.
#pragma once

#include <dmmap/ids.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <string_view>

namespace dmmap {

class BackingId;

/// An inode's attributes, as stat(2) shows them.
struct Attributes {
  std::uint64_t ino = 0;
  std::uint64_t size = 0;    ///< bytes
  std::uint64_t blocks = 0;  ///< of 512 bytes
  timespec atime{};
  timespec mtime{};
  timespec ctime{};
  std::uint32_t mode = 0;  ///< type and permissions
  std::uint32_t nlink = 1;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t rdev = 0;
  std::uint32_t blksize = 4096;  ///< bytes
};

/// Answers GETATTR and SETATTR. The kernel may use the attributes for `valid` without asking again.
struct AttributesReply {
  Attributes attributes;
  std::chrono::nanoseconds valid{0};
};

/// Answers whatever makes or finds a name. Each one that the kernel takes is one lookup of `node`, to be forgotten
/// exactly once. `node` 0 says, cacheably, that there is no such name.
struct Entry {
  NodeId node;
  std::uint64_t generation = 0;
  Attributes attributes;
  std::chrono::nanoseconds entry_valid{0};
  std::chrono::nanoseconds attributes_valid{0};
};

/// Answers OPEN and OPENDIR. The flags are FOPEN_* of linux/fuse.h.
struct Opened {
  HandleId handle;
  bool direct_io = false;   ///< read and write come to the server; no shared mmap unless a backing is given
  bool keep_cache = false;  ///< don't drop cached pages
  bool nonseekable = false;
  bool cache_directory = false;
  bool stream = false;  ///< no file position; can't be combined with a backing
  bool no_flush = false;
  bool parallel_direct_writes = false;
  bool ask_mmap = false;               ///< each mmap(2) is an MmapRequest (Feature::mmap_requests); not with a backing
  std::shared_ptr<BackingId> backing;  ///< FOPEN_PASSTHROUGH: mmap maps this file; must be kept until RELEASE
};

/// Answers CREATE and TMPFILE.
struct Created {
  Entry entry;
  Opened opened;
};

/// Answers MMAP: what is mapped is a backing file or, without one, a node's page cache.
struct Mmapped {
  std::uint64_t map = 0;               ///< what MUNMAP is to name it by
  std::uint64_t offset = 0;            ///< bytes into what is mapped, of whole pages
  std::shared_ptr<BackingId> backing;  ///< must be kept until the kernel has the answer: until MUNMAP, say
  NodeId node;                         ///< a regular file that the kernel knows
  HandleId handle;                     ///< that READ, WRITE and FSYNC requests of the mapping carry, with a node
  bool inherit = true;                 ///< over fork(2)
  bool may_grow = true;                ///< by mremap(2)
  bool read_only = false;              ///< a shared mapping can't be stored into, nor mprotect(2)ed so
};

/// Bytes: answers READ (at most the size asked for), READLINK.
struct Data {
  std::span<const std::byte> bytes;
};

/// Answers GETXATTR and LISTXATTR with the whole value, whatever size was asked for.
struct Xattr {
  std::span<const std::byte> bytes;
};

/// Answers WRITE: how many bytes were taken, at most those sent.
struct Written {
  std::uint32_t size = 0;
};

/// Answers STATFS (statvfs(3)).
struct FilesystemStatus {
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;
  std::uint64_t files = 0;
  std::uint64_t files_free = 0;
  std::uint32_t block_size = 4096;
  std::uint32_t name_length = 255;
  std::uint32_t fragment_size = 4096;
};

/// Answers STATX. `mask` says which fields are filled.
struct StatxReply {
  Attributes attributes;
  timespec birth{};
  std::uint32_t mask = 0;
  std::uint64_t attribute_flags = 0;
  std::uint64_t attribute_flags_mask = 0;
  std::chrono::nanoseconds valid{0};
};

/// Answers GETLK: the lock that is in the way, or type F_UNLCK.
struct LockState {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint32_t type = 0;
  std::uint32_t pid = 0;
};

/// Answers BMAP.
struct Block {
  std::uint64_t block = 0;
};

/// Answers IOCTL: what ioctl(2) returns, and the bytes to store where its argument points.
struct IoctlDone {
  std::int32_t result = 0;
  std::span<const std::byte> output;
};

/// Answers POLL with the events that are true now (poll(2)).
struct PollReady {
  std::uint32_t events = 0;
};

/// Answers LSEEK, in bytes from the start.
struct Seeked {
  std::uint64_t offset = 0;
};

/// Answers COPY_FILE_RANGE, in bytes.
struct Copied {
  std::uint64_t size = 0;
};

/// One name of a directory. `next` is what the client hands back to go on after this entry. `type` is DT_* of
/// readdir(3).
struct DirectoryEntry {
  std::string_view name;
  std::uint64_t ino = 0;
  std::uint64_t next = 0;
  std::uint32_t type = 0;
};

/// Answers READDIR: hand out the entries from the offset asked for until none is left or the bytes are used up; the
/// Reply takes as many as fit and leaves the rest for the next request.
struct DirectoryListing {
  std::span<const DirectoryEntry> entries;
};

/// Answers READDIRPLUS likewise. An entry with `entry.node` 0 is a name alone; each other one that fits is a lookup,
/// except those named "." and "..".
struct DirectoryEntryPlus {
  DirectoryEntry name;
  Entry entry;
};
struct DirectoryListingPlus {
  std::span<const DirectoryEntryPlus> entries;
};

/// Success, with nothing to tell.
struct Done {};

}  // namespace dmmap
