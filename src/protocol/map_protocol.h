// The per-mmap protocol: what a client's side asks a dmmap server at each mmap(2), on a kernel that doesn't ask itself.
//
// Written down for other implementations in docs/per-mmap.md. Promises: constants and plain structs in the machine's
// own byte order, no dependencies; this header is all that the preload knows of the library.
#pragma once

#include <linux/ioctl.h>

#include <cstdint>
#include <string_view>

namespace dmmap::protocol::map {

/// Whether a mount of this type (/proc/self/mountinfo) may be asked: "fuse.dmmap" or "fuse.dmmap.ANYTHING".
[[nodiscard]] constexpr bool is_mount_type(std::string_view type) {
  constexpr std::string_view kOurs = "fuse.dmmap";
  return type == kOurs || (type.starts_with(kOurs) && type[kOurs.size()] == '.');
}
/// A granted file is opened by this name in the root of the mount, followed by 32 lower-case hexadecimal digits of the
/// token, "-" and the file's number.
inline constexpr char kGrantPrefix[] = ".dmmap-map-";
inline constexpr unsigned kTokenDigits = 32;
/// The extended attribute by which a file says that it stands for a character device: "MAJOR:MINOR NAME", in
/// decimal, and by the name that the device would have below /dev.
inline constexpr char kDeviceAttribute[] = "user.dmmap.device";

/// How many pieces one mapping can have, and how many files.
inline constexpr std::uint32_t kMostPieces = 40;

enum GrantFlag : std::uint32_t {
  kDontCopy = 1U << 0U,    ///< a child has no such mapping after fork(2)
  kDontExpand = 1U << 1U,  ///< mremap(2) can't make it longer: EFAULT
  kWritable = 1U << 2U,    ///< the granted files are to be opened O_RDWR; O_RDONLY without
};

/// mmap(2)'s arguments. `handle` is for a kernel that asks; a request that comes as an ioctl has its handle already,
/// and 0 here.
struct MapIn {
  std::uint64_t handle;
  std::uint64_t offset;  // bytes
  std::uint64_t length;  // bytes
  std::uint32_t prot;    // PROT_*
  std::uint32_t flags;   // MAP_*
};

struct MapOut {
  std::uint32_t error;        // errno(3): a refusal; 0: granted
  std::uint32_t grant_flags;  // GrantFlag
  std::uint32_t files;        // to be opened, numbered from 0 on
  std::uint32_t pieces;       // of the mapping, in order, without gaps
  std::uint64_t token[2];
};

struct MapPiece {
  std::uint64_t offset;  // bytes into the file
  std::uint64_t length;  // bytes: whole pages
  std::uint32_t file;
  std::uint32_t reserved;  // 0
};

struct MapExchange {
  MapIn in;
  MapOut out;
  MapPiece piece[kMostPieces];  // NOLINT(*-avoid-c-arrays): a wire format
};
static_assert(sizeof(MapIn) == 32 && sizeof(MapOut) == 32 && sizeof(MapPiece) == 24 && sizeof(MapExchange) == 1024);

/// The ioctl that asks, on the file that mmap(2) names.
inline constexpr std::uint32_t kAsk = _IOWR('m', 0xd0, MapExchange);

}  // namespace dmmap::protocol::map
