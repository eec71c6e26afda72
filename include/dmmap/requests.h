// What the kernel asks, one struct per request of the FUSE protocol, version 7.31 to 7.45.
//
// Promises: every field has been checked against the length of the message that it came in. Names are never empty,
// contain neither '/' nor a NUL. Spans and string_views point into the request's own buffer: they are valid until the
// Reply that came with the request has been answered or dropped, also when the Reply is kept for later.
// Sources: linux/fuse.h (the wire), fuse(4), and the system call's man page that each comment names.
#pragma once

#include <dmmap/ids.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dmmap {

/// Who asks. `pid` is a thread's id, and 0 when the caller lives outside the server's pid namespace. `uid` and `gid`
/// are the caller's file system ids; both are 2^32-1 for requests that the kernel itself makes on an id-mapped mount.
struct Caller {
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// What all requests have.
struct Request {
  RequestId id;
  NodeId node;  ///< the inode that is asked about; 0 where the request is about none
  Caller caller;
  bool resent = false;  ///< sent again after Notifier::resend(); the first copy may have been acted upon
};

struct LookupRequest : Request {
  std::string_view name;  ///< in directory `node`
};

/// nlookup lookups of `node` are forgotten. No reply.
struct ForgetItem {
  NodeId node;
  std::uint64_t nlookup = 0;
};
struct ForgetRequest : Request {
  std::vector<ForgetItem> items;  ///< one for FORGET, many for BATCH_FORGET
};

struct GetattrRequest : Request {
  std::optional<HandleId> handle;  ///< the open file when the call was made on one (fstat(2))
};

/// The fields of setattr that are present are to be changed; times are absolute unless *_now is set.
struct SetattrRequest : Request {
  std::optional<HandleId> handle;
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;  ///< bytes
  std::optional<timespec> atime;
  std::optional<timespec> mtime;
  std::optional<timespec> ctime;
  bool atime_now = false;
  bool mtime_now = false;
  bool kill_suidgid = false;
  std::optional<std::uint64_t> lock_owner;
};

struct ReadlinkRequest : Request {};

struct SymlinkRequest : Request {
  std::string_view name;
  std::string_view target;
};

struct MknodRequest : Request {
  std::string_view name;
  std::uint32_t mode = 0;
  std::uint32_t rdev = 0;
  std::uint32_t umask = 0;
};

struct MkdirRequest : Request {
  std::string_view name;
  std::uint32_t mode = 0;
  std::uint32_t umask = 0;
};

struct UnlinkRequest : Request {
  std::string_view name;
};
struct RmdirRequest : Request {
  std::string_view name;
};

/// RENAME and RENAME2; `flags` are renameat2(2)'s, 0 for RENAME.
struct RenameRequest : Request {
  std::string_view name;
  NodeId new_directory;
  std::string_view new_name;
  std::uint32_t flags = 0;
};

/// Gives `target` one more name, `name` in directory `node`.
struct LinkRequest : Request {
  NodeId target;
  std::string_view name;
};

struct OpenRequest : Request {
  int flags = 0;  ///< open(2)'s, without O_CREAT, O_EXCL and O_NOCTTY
  bool kill_suidgid = false;
};
struct OpendirRequest : OpenRequest {};

struct CreateRequest : OpenRequest {
  std::string_view name;
  std::uint32_t mode = 0;
  std::uint32_t umask = 0;
};
/// O_TMPFILE in directory `node`.
struct TmpfileRequest : CreateRequest {};

struct ReadRequest : Request {
  HandleId handle;
  std::uint64_t offset = 0;                 ///< bytes
  std::uint32_t size = 0;                   ///< bytes
  int flags = 0;                            ///< the open file's present flags (O_NONBLOCK among them)
  std::optional<std::uint64_t> lock_owner;  ///< present for read(2) on a direct_io file, absent for a page being filled
};

struct WriteRequest : Request {
  HandleId handle;
  std::uint64_t offset = 0;  ///< bytes
  std::span<const std::byte> data;
  int flags = 0;  ///< the open file's present flags (O_NONBLOCK among them)
  std::optional<std::uint64_t> lock_owner;
  bool from_page_cache = false;  ///< a writeback: `handle` is a guess, `caller` is nobody in particular
  bool kill_suidgid = false;
};

struct StatfsRequest : Request {};

struct ReleaseRequest : Request {
  HandleId handle;
  int flags = 0;
  bool flush = false;
  bool unlock_flock = false;
  std::uint64_t lock_owner = 0;
};
struct ReleasedirRequest : ReleaseRequest {};

struct FsyncRequest : Request {
  HandleId handle;
  bool data_only = false;  ///< fdatasync(2)
};
struct FsyncdirRequest : FsyncRequest {};

/// One close(2) of perhaps many of this open file.
struct FlushRequest : Request {
  HandleId handle;
  std::uint64_t lock_owner = 0;
};

struct SetxattrRequest : Request {
  std::string_view name;
  std::span<const std::byte> value;
  std::uint32_t flags = 0;  ///< setxattr(2)'s
  bool acl_kill_sgid = false;
};
/// `size` 0 asks for the length alone. Answer with the whole value: the Reply does the rest.
struct GetxattrRequest : Request {
  std::string_view name;
  std::uint32_t size = 0;
};
struct ListxattrRequest : Request {
  std::uint32_t size = 0;
};
struct RemovexattrRequest : Request {
  std::string_view name;
};

struct ReaddirRequest : Request {
  HandleId handle;
  std::uint64_t offset = 0;  ///< the `next` of the last entry that the client has seen; 0 at the start
  std::uint32_t size = 0;    ///< bytes that the reply may have
};
struct ReaddirplusRequest : ReaddirRequest {};

/// A record lock (fcntl(2)) or, with `flock`, a whole-file lock (flock(2)). `type` is F_RDLCK, F_WRLCK or F_UNLCK.
struct LockRequest : Request {
  HandleId handle;
  std::uint64_t owner = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;  ///< inclusive
  std::uint32_t type = 0;
  std::uint32_t pid = 0;
  bool flock = false;
};
struct GetlkRequest : LockRequest {};
struct SetlkRequest : LockRequest {};
struct SetlkwRequest : LockRequest {};  ///< waits; INTERRUPT gives up

struct AccessRequest : Request {
  std::uint32_t mask = 0;  ///< access(2)'s
};

struct BmapRequest : Request {
  std::uint64_t block = 0;
  std::uint32_t block_size = 0;
};

/// Restricted ioctls (all that a file gets) bring the data that _IOC_DIR and _IOC_SIZE of `command` promise.
struct IoctlRequest : Request {
  HandleId handle;
  std::uint32_t command = 0;
  std::uint64_t argument = 0;  ///< the third argument of ioctl(2) as it was passed: a value, or a client's address
  std::span<const std::byte> input;  ///< what the client's argument points to, for _IOW and _IOWR
  std::uint32_t output_size = 0;     ///< bytes that the reply may carry
  bool compat_32bit = false;
  bool directory = false;
};

struct PollRequest : Request {
  HandleId handle;
  PollHandle poll_handle;
  std::uint32_t events = 0;      ///< poll(2)'s, as asked
  bool schedule_notify = false;  ///< the client will wait: Notifier::poll(poll_handle) when the answer changes
};

struct FallocateRequest : Request {
  HandleId handle;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint32_t mode = 0;  ///< fallocate(2)'s
};

/// mmap(2) of an open file, asked by a kernel with kernel/patches (Feature::mmap_requests) where Opened::ask_mmap was
/// said. The client's memory map is locked until the answer: don't touch its memory, nor read its maps, cmdline or
/// environ in /proc, before that, and don't wait for what another thread of the client may hold that needs the map: a
/// write(2) of this very file, for which PagedRegion::write, resize, discard and unmap wait.
struct MmapRequest : Request {
  HandleId handle;
  std::uint64_t offset = 0;  ///< bytes, of whole pages
  std::uint64_t length = 0;  ///< bytes, of whole pages
  int prot = 0;              ///< mmap(2)'s
  int max_prot = 0;          ///< what mprotect(2) may make of it
  bool shared = false;       ///< MAP_SHARED or MAP_PRIVATE
};

/// Nothing is left of a mapping, in any process. The handle's RELEASE comes after this.
struct MunmapRequest : Request {
  HandleId handle;
  std::uint64_t map = 0;  ///< Mmapped::map
};

struct LseekRequest : Request {
  HandleId handle;
  std::uint64_t offset = 0;
  std::uint32_t whence = 0;  ///< SEEK_DATA or SEEK_HOLE: the kernel does the rest itself
};

/// COPY_FILE_RANGE and COPY_FILE_RANGE_64: from `handle` of `node` into `handle_out` of `node_out`.
struct CopyFileRangeRequest : Request {
  HandleId handle;
  std::uint64_t offset = 0;
  NodeId node_out;
  HandleId handle_out;
  std::uint64_t offset_out = 0;
  std::uint64_t length = 0;
  std::uint64_t flags = 0;
};

/// DAX windows, which virtiofs has; decoded for completeness.
struct SetupmappingRequest : Request {
  HandleId handle;
  std::uint64_t file_offset = 0;
  std::uint64_t length = 0;
  std::uint64_t flags = 0;
  std::uint64_t window_offset = 0;
};
struct RemovemappingRequest : Request {
  struct Item {
    std::uint64_t window_offset = 0;
    std::uint64_t length = 0;
  };
  std::vector<Item> items;
};

struct SyncfsRequest : Request {};

struct StatxRequest : Request {
  std::optional<HandleId> handle;
  std::uint32_t flags = 0;  ///< statx(2)'s
  std::uint32_t mask = 0;   ///< statx(2)'s
};

/// The client that waits for request `interrupted` got a signal.
struct InterruptRequest : Request {
  RequestId interrupted;
};

/// What RETRIEVE brought: `data` are the cached bytes from `offset` on, up to the first absent page.
struct NotifyReplyRequest : Request {
  std::uint64_t offset = 0;
  std::span<const std::byte> data;
};

struct InitRequest : Request {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t max_readahead = 0;
  std::uint64_t flags = 0;  ///< flags and, from 7.36 on, flags2 shifted up by 32
};
struct CuseInitRequest : Request {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t flags = 0;
};
struct DestroyRequest : Request {};

}  // namespace dmmap
