// Which pages of an open file are in the page cache.
#pragma once

#include <dmmap/error.h>

#include <functional>

#include "mapping/byte_ranges.h"

namespace dmmap::mapping {

/// Calls `page` with the range of each page of `range` that is cached, or being read, until it returns false. By
/// cachestat(2), a few calls for each run of cached pages. Not by mincore(2): a mapping of a file of our own mount,
/// even one that is never touched, is closed by the kernel writing the file's dirty pages back under this process's
/// memory lock (fs/fuse/file.c, fuse_vma_close), and the server can't answer then. Errors: ENOSYS before Linux 6.5.
/// Thread safety: every call.
Result<void> each_resident_page(int fd, const ByteRange& range, const std::function<bool(const ByteRange&)>& page);

}  // namespace dmmap::mapping
