// The ioctl by which a snapshot is asked for, on an open file or directory of a mount of `dmmap store`: that is copied.
#pragma once

#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

#include "servers/store/tree/directory.h"

namespace dmmap::store {

struct SnapshotWish {
  std::uint64_t directory = 0;       ///< st_ino of the directory that the copy comes to lie in
  char name[kLongestName + 1] = {};  ///< its name there, with a NUL after it
};

/// For root and the user whose server it is. Errors: EPERM for others; EINVAL for a name that can't be; EEXIST; ENOSPC;
/// ENOTTY from other file systems.
inline constexpr unsigned long kSnapshotIoctl = _IOW('D', 0x53, SnapshotWish);

}  // namespace dmmap::store
