#include "mapping/residency.h"

#include <dmmap/region.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace dmmap::mapping {

namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 30;
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

bool surely_empty(int fd, const ByteRange& range) {
  CachestatRange where{range.begin, range.end - range.begin};
  Cachestat stat;
  return ::syscall(kCachestat, fd, &where, &stat, 0U) == 0 && stat.nr_cache == 0;
}

}  // namespace

Result<void> each_resident_page(int fd, const ByteRange& range, const std::function<bool(const ByteRange&)>& page) {
  if (range.empty() || surely_empty(fd, range)) {
    return {};
  }
  for (std::uint64_t at = range.begin / page_size() * page_size(); at < range.end; at += kPiece) {
    const ByteRange piece{at, std::min(at + kPiece, range.end)};
    if (surely_empty(fd, piece)) {
      continue;
    }
    const std::size_t length = piece.end - piece.begin;
    void* const base = ::mmap(nullptr, length, PROT_NONE, MAP_SHARED, fd, static_cast<off_t>(piece.begin));
    if (base == MAP_FAILED) {  // NOLINT(*-cstyle-cast, performance-no-int-to-ptr)
      return fail_errno(errno, "asking which pages are cached");
    }
    std::vector<unsigned char> cached((length + page_size() - 1) / page_size());
    const int asked = ::mincore(base, length, cached.data());
    const int code = errno;
    ::munmap(base, length);
    if (asked != 0) {
      return fail_errno(code, "asking which pages are cached");
    }
    for (std::size_t i = 0; i < cached.size(); ++i) {
      const std::uint64_t begin = piece.begin + i * page_size();
      if ((cached[i] & 1) != 0 && !page({begin, begin + page_size()})) {
        return {};
      }
    }
  }
  return {};
}

}  // namespace dmmap::mapping
