// Which pages of an open file are in the page cache.
#pragma once

#include <dmmap/error.h>

#include <functional>

#include "mapping/byte_ranges.h"

namespace dmmap::mapping {

/// Calls `page` with the range of each page of `range` that is cached and up to date, until it returns false. Skips
/// what the kernel says is empty at once (cachestat(2), Linux 6.5); elsewhere asks mincore(2), which needs a mapping:
/// made here, never touched. Thread safety: every call.
Result<void> each_resident_page(int fd, const ByteRange& range, const std::function<bool(const ByteRange&)>& page);

}  // namespace dmmap::mapping
