// What kernels do when they write dirty pages back.
#pragma once

#include <dmmap/capabilities.h>

#include <fcntl.h>

#include <cstdint>

namespace dmmap::mapping {

/// Whether a page is under writeback until its WRITE is answered, so that sync_file_range(2) waits for that. Before
/// FUSE 7.44, Linux 6.16 the kernel sends a copy of the page, whose end only fsync(2), close(2) and what touches that
/// very page wait for (fs/fuse/file.c, fuse_sync_writes).
inline bool writeback_waits(const Capabilities& capabilities) {
  constexpr std::uint32_t kInPlace = 44;
  return capabilities.kernel_minor >= kInPlace;
}

/// Writes dirty pages back and waits for their writeback, without the inode's lock. Whether it succeeded, otherwise
/// with errno. `length` 0: to the end.
inline bool sync_range(int fd, std::uint64_t begin, std::uint64_t length) {
  constexpr unsigned kAll = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  return ::sync_file_range(fd, static_cast<off_t>(begin), static_cast<off_t>(length), kAll) == 0;
}

}  // namespace dmmap::mapping
