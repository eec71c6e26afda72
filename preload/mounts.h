// Which devices (st_dev) are mounts of dmmap's, and where their roots are.
//
// Thread safety: every call, from any thread and signal handler.
#pragma once

#include <sys/types.h>

#include <array>
#include <climits>

namespace dmmap::preload {

/// A path, and its NUL.
using Path = std::array<char, PATH_MAX>;

/// Whether `device` is a mount of dmmap's, as /proc/self/mountinfo has it (proc_pid_mountinfo(5)). `root`, if it isn't
/// null, becomes the path of the mount's root, or "" where that can't be reached.
[[nodiscard]] bool find_mount(dev_t device, Path* root);

/// As find_mount() with a root, from memory if it can be; forget_root() has it looked up anew.
[[nodiscard]] bool find_root(dev_t device, Path& root);
void forget_root(dev_t device);

/// As find_mount(), remembered for a second: for calls that are made often.
[[nodiscard]] bool may_be_ours(dev_t device);

}  // namespace dmmap::preload
