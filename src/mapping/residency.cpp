#include "mapping/residency.h"

#include <dmmap/region.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace dmmap::mapping {

namespace {

constexpr long kCachestat = 451;  // the same on every architecture (asm-generic/unistd.h)

// linux/mman.h, since Linux 6.5.
struct CachestatRange {
  std::uint64_t off = 0;
  std::uint64_t len = 0;
};
struct Cachestat {
  std::uint64_t nr_cache = 0;
  std::uint64_t nr_dirty = 0;
  std::uint64_t nr_writeback = 0;
  std::uint64_t nr_evicted = 0;
  std::uint64_t nr_recently_evicted = 0;
};

// Pages first to first + count. False when `page` has had enough.
Result<bool> visit(int fd, std::uint64_t first, std::uint64_t count,
                   const std::function<bool(const ByteRange&)>& page) {
  CachestatRange where{first * page_size(), count * page_size()};
  Cachestat stat;
  if (::syscall(kCachestat, fd, &where, &stat, 0U) != 0) {  // NOLINT(*-vararg)
    return fail_errno(errno, "asking which pages are cached");
  }
  if (stat.nr_cache == 0) {
    return true;
  }
  if (stat.nr_cache >= count) {
    for (std::uint64_t each = first; each < first + count; ++each) {
      if (!page({each * page_size(), (each + 1) * page_size()})) {
        return false;
      }
    }
    return true;
  }
  const auto left = visit(fd, first, count / 2, page);
  return !left || !*left ? left : visit(fd, first + count / 2, count - count / 2, page);
}

}  // namespace

Result<void> each_resident_page(int fd, const ByteRange& range, const std::function<bool(const ByteRange&)>& page) {
  if (range.empty()) {
    return {};
  }
  const std::uint64_t first = range.begin / page_size();
  const std::uint64_t beyond = (range.end + page_size() - 1) / page_size();
  const auto visited = visit(fd, first, beyond - first, page);
  return visited ? Result<void>() : tl::unexpected(visited.error());
}

}  // namespace dmmap::mapping
