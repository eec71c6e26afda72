// The FUSE wire format, versions 7.31 to 7.45: what the bytes between the kernel and a server mean.
//
// Our own definitions, since the system's header may be older than the kernel (Debian 12's stops at 7.38).
// Promises: plain structs without implicit padding, in the machine's byte order, of the sizes that are asserted below
// them. Constants and plain types only, so any thread may use them.
// Source: include/uapi/linux/fuse.h of Linux 6.18; the comments name the version where it's newer than 7.31.
#pragma once

#include <sys/ioctl.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "protocol/abi_notify.h"
#include "protocol/flags.h"

namespace dmmap::protocol {

struct InHeader {
  std::uint32_t len;
  std::uint32_t opcode;
  std::uint64_t unique;
  std::uint64_t nodeid;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t pid;
  std::uint16_t total_extlen;  // 7.38: of the extensions at the message's end, in units of 8 bytes
  std::uint16_t padding;
};
static_assert(sizeof(InHeader) == 40);

struct OutHeader {
  std::uint32_t len;
  std::int32_t error;  // 0 or a negative errno; in a notification its code, with unique 0
  std::uint64_t unique;
};
static_assert(sizeof(OutHeader) == 16);

/// What the kernel calls the version that all of this belongs to.
inline constexpr std::uint32_t kAbiMajor = 7;
inline constexpr std::uint32_t kAbiMinor = 45;

/// The kernel refuses a read(2) of /dev/fuse into fewer bytes.
inline constexpr std::size_t kMinReadBuffer = 8192;

/// 7.41: a request's uid and gid when an id-mapped mount has none for its caller.
inline constexpr std::uint32_t kNoId = ~std::uint32_t{0};

/// 7.40: set in `unique` of a request that is sent again.
inline constexpr std::uint64_t kUniqueResend = std::uint64_t{1} << 63;

// What requests bring, after the header.

struct ForgetIn {
  std::uint64_t nlookup;
};
struct BatchForgetIn {
  std::uint32_t count;
  std::uint32_t dummy;
};
struct ForgetOne {
  std::uint64_t nodeid;
  std::uint64_t nlookup;
};
struct GetattrIn {
  std::uint32_t flags;
  std::uint32_t dummy;
  std::uint64_t fh;
};
struct StatxIn {  // 7.39
  std::uint32_t getattr_flags;
  std::uint32_t reserved;
  std::uint64_t fh;
  std::uint32_t sx_flags;
  std::uint32_t sx_mask;
};
struct MknodIn {
  std::uint32_t mode;
  std::uint32_t rdev;
  std::uint32_t umask;
  std::uint32_t padding;
};
struct MkdirIn {
  std::uint32_t mode;
  std::uint32_t umask;
};
struct RenameIn {
  std::uint64_t newdir;
};
struct Rename2In {
  std::uint64_t newdir;
  std::uint32_t flags;
  std::uint32_t padding;
};
struct LinkIn {
  std::uint64_t oldnodeid;
};
struct SetattrIn {
  std::uint32_t valid;
  std::uint32_t padding;
  std::uint64_t fh;
  std::uint64_t size;
  std::uint64_t lock_owner;
  std::uint64_t atime;
  std::uint64_t mtime;
  std::uint64_t ctime;
  std::uint32_t atimensec;
  std::uint32_t mtimensec;
  std::uint32_t ctimensec;
  std::uint32_t mode;
  std::uint32_t unused4;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t unused5;
};
struct OpenIn {
  std::uint32_t flags;
  std::uint32_t open_flags;
};
struct CreateIn {
  std::uint32_t flags;
  std::uint32_t mode;
  std::uint32_t umask;
  std::uint32_t open_flags;
};
struct ReleaseIn {
  std::uint64_t fh;
  std::uint32_t flags;
  std::uint32_t release_flags;
  std::uint64_t lock_owner;
};
struct FlushIn {
  std::uint64_t fh;
  std::uint32_t unused;
  std::uint32_t padding;
  std::uint64_t lock_owner;
};
struct ReadIn {
  std::uint64_t fh;
  std::uint64_t offset;
  std::uint32_t size;
  std::uint32_t read_flags;
  std::uint64_t lock_owner;
  std::uint32_t flags;
  std::uint32_t padding;
};
struct WriteIn {
  std::uint64_t fh;
  std::uint64_t offset;
  std::uint32_t size;
  std::uint32_t write_flags;
  std::uint64_t lock_owner;
  std::uint32_t flags;
  std::uint32_t padding;
};
struct FsyncIn {
  std::uint64_t fh;
  std::uint32_t fsync_flags;
  std::uint32_t padding;
};
/// The first 8 bytes alone without SETXATTR_EXT (7.33).
struct SetxattrIn {
  std::uint32_t size;
  std::uint32_t flags;
  std::uint32_t setxattr_flags;
  std::uint32_t padding;
};
inline constexpr std::size_t kShortSetxattr = 8;
struct GetxattrIn {
  std::uint32_t size;
  std::uint32_t padding;
};
struct FileLock {
  std::uint64_t start;
  std::uint64_t end;
  std::uint32_t type;
  std::uint32_t pid;
};
struct LkIn {
  std::uint64_t fh;
  std::uint64_t owner;
  FileLock lock;
  std::uint32_t lk_flags;
  std::uint32_t padding;
};
struct AccessIn {
  std::uint32_t mask;
  std::uint32_t padding;
};
/// The first 16 bytes alone without INIT_EXT (7.36).
struct InitIn {
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t max_readahead;
  std::uint32_t flags;
  std::uint32_t flags2;
  std::array<std::uint32_t, 11> unused;
};
inline constexpr std::size_t kShortInit = 16;
/// Before 7.6 there was nothing but the version.
inline constexpr std::size_t kOldestInit = 8;
struct CuseInitIn {
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t max_readahead;  // kernel/patches; otherwise 0
  std::uint32_t flags;
};
struct InterruptIn {
  std::uint64_t unique;
};
struct BmapIn {
  std::uint64_t block;
  std::uint32_t blocksize;
  std::uint32_t padding;
};
struct IoctlIn {
  std::uint64_t fh;
  std::uint32_t flags;
  std::uint32_t cmd;
  std::uint64_t arg;
  std::uint32_t in_size;
  std::uint32_t out_size;
};
struct PollIn {
  std::uint64_t fh;
  std::uint64_t kh;
  std::uint32_t flags;
  std::uint32_t events;
};
struct FallocateIn {
  std::uint64_t fh;
  std::uint64_t offset;
  std::uint64_t length;
  std::uint32_t mode;
  std::uint32_t padding;
};
struct LseekIn {
  std::uint64_t fh;
  std::uint64_t offset;
  std::uint32_t whence;
  std::uint32_t padding;
};
struct CopyFileRangeIn {
  std::uint64_t fh_in;
  std::uint64_t off_in;
  std::uint64_t nodeid_out;
  std::uint64_t fh_out;
  std::uint64_t off_out;
  std::uint64_t len;
  std::uint64_t flags;
};
struct SetupmappingIn {
  std::uint64_t fh;
  std::uint64_t foffset;
  std::uint64_t len;
  std::uint64_t flags;
  std::uint64_t moffset;
};
struct RemovemappingIn {
  std::uint32_t count;
};
struct RemovemappingOne {
  std::uint64_t moffset;
  std::uint64_t len;
};
struct SyncfsIn {  // 7.34
  std::uint64_t padding;
};
/// What RETRIEVE brings back; as long as WriteIn.
struct RetrieveIn {
  std::uint64_t dummy1;
  std::uint64_t offset;
  std::uint32_t size;
  std::uint32_t dummy2;
  std::uint64_t dummy3;
  std::uint64_t dummy4;
};
static_assert(sizeof(SetattrIn) == 88 && sizeof(ReadIn) == 40 && sizeof(WriteIn) == 40 && sizeof(LkIn) == 48);
static_assert(sizeof(InitIn) == 64 && sizeof(IoctlIn) == 32 && sizeof(PollIn) == 24 && sizeof(CopyFileRangeIn) == 56);
static_assert(sizeof(RetrieveIn) == sizeof(WriteIn) && sizeof(SetxattrIn) == 16 && sizeof(StatxIn) == 24);

// What answers carry, after the header.

struct Attr {
  std::uint64_t ino;
  std::uint64_t size;
  std::uint64_t blocks;
  std::uint64_t atime;
  std::uint64_t mtime;
  std::uint64_t ctime;
  std::uint32_t atimensec;
  std::uint32_t mtimensec;
  std::uint32_t ctimensec;
  std::uint32_t mode;
  std::uint32_t nlink;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t rdev;
  std::uint32_t blksize;
  std::uint32_t flags;
};
struct EntryOut {
  std::uint64_t nodeid;
  std::uint64_t generation;
  std::uint64_t entry_valid;
  std::uint64_t attr_valid;
  std::uint32_t entry_valid_nsec;
  std::uint32_t attr_valid_nsec;
  Attr attr;
};
struct AttrOut {
  std::uint64_t attr_valid;
  std::uint32_t attr_valid_nsec;
  std::uint32_t dummy;
  Attr attr;
};
struct SxTime {
  std::int64_t sec;
  std::uint32_t nsec;
  std::int32_t reserved;
};
struct Statx {
  std::uint32_t mask;
  std::uint32_t blksize;
  std::uint64_t attributes;
  std::uint32_t nlink;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint16_t mode;
  std::uint16_t spare0;
  std::uint64_t ino;
  std::uint64_t size;
  std::uint64_t blocks;
  std::uint64_t attributes_mask;
  SxTime atime;
  SxTime btime;
  SxTime ctime;
  SxTime mtime;
  std::uint32_t rdev_major;
  std::uint32_t rdev_minor;
  std::uint32_t dev_major;
  std::uint32_t dev_minor;
  std::array<std::uint64_t, 14> spare2;
};
struct StatxOut {
  std::uint64_t attr_valid;
  std::uint32_t attr_valid_nsec;
  std::uint32_t flags;
  std::array<std::uint64_t, 2> spare;
  Statx stat;
};
struct OpenOut {
  std::uint64_t fh;
  std::uint32_t open_flags;
  std::int32_t backing_id;  // 7.40
};
struct WriteOut {
  std::uint32_t size;
  std::uint32_t padding;
};
struct StatfsOut {
  std::uint64_t blocks;
  std::uint64_t bfree;
  std::uint64_t bavail;
  std::uint64_t files;
  std::uint64_t ffree;
  std::uint32_t bsize;
  std::uint32_t namelen;
  std::uint32_t frsize;
  std::uint32_t padding;
  std::array<std::uint32_t, 6> spare;
};
struct GetxattrOut {
  std::uint32_t size;
  std::uint32_t padding;
};
struct LkOut {
  FileLock lock;
};
struct InitOut {
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t max_readahead;
  std::uint32_t flags;
  std::uint16_t max_background;
  std::uint16_t congestion_threshold;
  std::uint32_t max_write;
  std::uint32_t time_gran;
  std::uint16_t max_pages;
  std::uint16_t map_alignment;
  std::uint32_t flags2;           // 7.36
  std::uint32_t max_stack_depth;  // 7.40
  std::uint16_t request_timeout;  // 7.43, in seconds
  std::array<std::uint16_t, 11> unused;
};
struct CuseInitOut {
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t max_readahead;  // kernel/patches; otherwise 0
  std::uint32_t flags;
  std::uint32_t max_read;
  std::uint32_t max_write;
  std::uint32_t dev_major;
  std::uint32_t dev_minor;
  std::array<std::uint32_t, 10> spare;
};
/// The most bytes of "DEVNAME=..." text that follow CuseInitOut.
inline constexpr std::size_t kCuseInfoMax = 4096;
struct BmapOut {
  std::uint64_t block;
};
struct IoctlOut {
  std::int32_t result;
  std::uint32_t flags;
  std::uint32_t in_iovs;
  std::uint32_t out_iovs;
};
/// One piece of a client's memory, in the answer to an unrestricted ioctl (CUSE) that asks to be sent again.
struct IoctlIovec {
  std::uint64_t base;
  std::uint64_t len;
};
inline constexpr std::size_t kIoctlMaxIovecs = 256;
struct PollOut {
  std::uint32_t revents;
  std::uint32_t padding;
};
struct LseekOut {
  std::uint64_t offset;
};
struct CopyFileRangeOut {  // 7.45
  std::uint64_t bytes_copied;
};
/// Followed by the name, without a NUL, and padding to 8 bytes.
struct Dirent {
  std::uint64_t ino;
  std::uint64_t off;
  std::uint32_t namelen;
  std::uint32_t type;
};
static_assert(sizeof(Attr) == 88 && sizeof(EntryOut) == 128 && sizeof(AttrOut) == 104 && sizeof(Statx) == 256);
static_assert(sizeof(StatxOut) == 288 && sizeof(OpenOut) == 16 && sizeof(StatfsOut) == 80 && sizeof(InitOut) == 64);
static_assert(sizeof(Dirent) == 24 && sizeof(IoctlOut) == 16 && sizeof(CuseInitOut) == 72);

// /dev/fuse's ioctls.

struct BackingMap {  // 7.40
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
static_assert(sizeof(BackingMap) == 16);
inline constexpr unsigned kDevIocMagic = 229;
inline constexpr unsigned long kDevIocClone = _IOR(kDevIocMagic, 0, std::uint32_t);
inline constexpr unsigned long kDevIocBackingOpen = _IOW(kDevIocMagic, 1, BackingMap);
inline constexpr unsigned long kDevIocBackingClose = _IOW(kDevIocMagic, 2, std::uint32_t);
inline constexpr unsigned long kDevIocSyncInit = _IO(kDevIocMagic, 3);  // Linux 6.18

}  // namespace dmmap::protocol
