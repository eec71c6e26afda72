// Mounts, as tests need to know them: from /proc/self/mountinfo, never by touching the mount, which may hang.
//
// Thread safety: every function, from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace dmmap::testing {

struct MountEntry {
  std::filesystem::path mountpoint;
  unsigned device_minor = 0;
  std::string type;    ///< "fuse", "fuse.dmmap", "tmpfs"
  std::string source;  ///< what was mounted
};

/// All mounts of this mount namespace, in the order in which they were made.
[[nodiscard]] std::vector<MountEntry> all_mounts();

/// Those at `path` and below it, the last made first. `path` is absolute, without symbolic links.
[[nodiscard]] std::vector<MountEntry> mounts_below(const std::filesystem::path& path);

/// Takes away lazily what is mounted at `path` and below it.
void unmount_below(const std::filesystem::path& path);

[[nodiscard]] bool is_mounted(const std::filesystem::path& path);

/// The FUSE connection of the mount at `path`: its number in /sys/fs/fuse/connections.
[[nodiscard]] std::optional<unsigned> fuse_connection_of(const std::filesystem::path& path);

/// Makes every request of connection `number` fail with ENOTCONN, so that nothing that waits for it hangs. Mounts
/// fusectl if need be. False when there's no such connection, or no right to it.
bool abort_connection(unsigned number);

/// Asks `predicate` again and again until it says true. False after `timeout`.
[[nodiscard]] bool wait_until(const std::function<bool()>& predicate, std::chrono::milliseconds timeout);

}  // namespace dmmap::testing
