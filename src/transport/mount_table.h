// The mounts of this process's namespace, as /proc/self/mountinfo lists them (proc(5)).
//
// Promises: reading it asks no file system, so a mount whose server hangs can't hang the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dmmap::transport {

struct MountEntry {
  std::uint32_t id = 0;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;  ///< for FUSE, with major 0, the connection's number in /sys/fs/fuse/connections
  std::string mountpoint;
  std::string type;  ///< "fuse.dmmap", ...
};

/// The topmost mount at exactly this absolute path, if one is there.
[[nodiscard]] std::optional<MountEntry> find_mount(const std::string& mountpoint);

/// As find_mount, on a table given as text.
[[nodiscard]] std::optional<MountEntry> find_mount_in(std::string_view table, const std::string& mountpoint);

/// Whether `type` is FUSE's.
[[nodiscard]] bool is_fuse(std::string_view type);

}  // namespace dmmap::transport
