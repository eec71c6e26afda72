// Mounting and unmounting: mount(2) as root, fusermount3(1) for everyone else.
//
// Promises: no call asks the mounted file system anything, so none hangs because a server does. unmount() can wait for
// the server to write dirty pages back: never call it from a thread that serves.
#pragma once

#include <dmmap/error.h>
#include <dmmap/mount.h>

#include <cstdint>
#include <string>

#include "transport/unique_fd.h"

namespace dmmap::transport {

struct Mounted {
  UniqueFd device;               ///< /dev/fuse, O_NONBLOCK
  std::string mountpoint;        ///< absolute, no symbolic links
  std::uint32_t connection = 0;  ///< its number in /sys/fs/fuse/connections
  bool by_helper = false;        ///< fusermount3 mounted it, and has to unmount it
};

/// Errors: see Session::mount.
[[nodiscard]] Result<Mounted> mount(const MountOptions& options);

/// Takes the mount out of the namespace at once; the kernel goes on with it until the last file is closed. Does nothing
/// when `mounted` is not at its place any more.
Result<void> unmount(const std::string& mountpoint, std::uint32_t connection, bool by_helper);

/// Makes the kernel fail everything on the connection, through fusectl (Documentation/filesystems/fuse.rst), which is
/// mounted where it isn't and may be. Async-signal-safe.
bool abort_connection(std::uint32_t connection) noexcept;

}  // namespace dmmap::transport
