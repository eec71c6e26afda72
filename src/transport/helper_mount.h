// fusermount3(1), the set-uid helper that mounts and unmounts for users without privilege.
#pragma once

#include <dmmap/error.h>
#include <dmmap/mount.h>

#include <string>

#include "transport/unique_fd.h"

namespace dmmap::transport {

/// Has fusermount3 mount at `mountpoint`, and takes over the /dev/fuse that it hands back.
[[nodiscard]] Result<UniqueFd> mount_by_helper(const MountOptions& options, const std::string& mountpoint);

[[nodiscard]] Result<void> unmount_by_helper(const std::string& mountpoint);

}  // namespace dmmap::transport
