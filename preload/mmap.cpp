// mmap(2) and what takes mappings away: mmap64, munmap, mremap, madvise.
#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>

#include "preload/descriptor_table.h"
#include "preload/granted_map.h"
#include "preload/mapping_table.h"
#include "preload/next.h"
#include "preload/pages.h"
#include "protocol/map_protocol.h"

namespace dmmap::preload {

namespace {

DMMAP_NEXT(mmap);
DMMAP_NEXT(munmap);
DMMAP_NEXT(mremap);
DMMAP_NEXT(madvise);

void* as_mmap_returns(long result) {
  if (is_error(result)) {
    errno = static_cast<int>(-result);
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(result);
}

// A mapping that isn't ours may come to lie where one is that is.
void* map_foreign(void* address, std::size_t length, int prot, int flags, int fd, off_t offset) {
  if ((flags & MAP_FIXED) == 0 || !mappings.may_overlap(number(address), length)) {
    return next_mmap(address, length, prot, flags, fd, offset);
  }
  const Quiet quiet(mappings.lock());
  if (mappings.reserve(1) < 0) {
    return as_mmap_returns(-ENOMEM);
  }
  void* const mapped = next_mmap(address, length, prot, flags, fd, offset);
  if (mapped != MAP_FAILED) {
    mappings.remove(number(address), number(address) + whole_pages(length));
  }
  return mapped;
}

void* map_any(void* address, std::size_t length, int prot, int flags, int fd, off_t offset) {
  if (fd >= 0 && (flags & MAP_ANONYMOUS) == 0 && !descriptors.is_foreign(fd)) {
    if (const auto mapped = map_by_grant({address, length, prot, flags, fd, offset})) {
      return as_mmap_returns(*mapped);
    }
  }
  return map_foreign(address, length, prot, flags, fd, offset);
}

// mremap(2) of something of ours, done by the kernel; the table follows. REQUIRES: the table's lock.
class Moved {
 public:
  Moved(std::uintptr_t from, std::size_t old_length, std::uintptr_t to, std::size_t new_length)
      : from_(from), old_(old_length), to_(to), new_(new_length) {}

  /// Whether the kernel would have to make longer what may not grow.
  [[nodiscard]] bool grows_what_may_not() const {
    const MappingTable::Piece* const piece = mappings.first_after(from_);
    return new_ > old_ && piece != nullptr && piece->begin < from_ + std::max<std::size_t>(old_, 1) &&
           (mappings.file(piece->file).grant_flags & protocol::map::kDontExpand) != 0;
  }

  void note(bool old_stays) const {
    if (to_ == from_) {
      resize_in_place();
      return;
    }
    mappings.remove(to_, to_ + new_);
    std::uintptr_t at = from_;
    const std::uintptr_t end = from_ + std::max<std::size_t>(old_, 1);
    std::uint32_t last = 0;
    bool any = false;
    while (const MappingTable::Piece* const found = mappings.first_after(at)) {
      const MappingTable::Piece piece = *found;
      if (piece.begin >= end || mappings.reserve(2) < 0) {
        break;
      }
      const std::uintptr_t begin = std::max(piece.begin, from_) - from_;
      const std::uintptr_t beyond = std::min({piece.end - from_, old_, new_});
      if (begin < beyond) {
        mappings.insert(to_ + begin, to_ + beyond, piece.file);
      }
      last = piece.file;
      any = true;
      at = piece.end;
    }
    if (any && new_ > old_) {
      mappings.insert(to_ + old_, to_ + new_, last);
    }
    if (!old_stays && old_ > 0) {
      mappings.remove(from_, from_ + old_);
    }
  }

 private:
  void resize_in_place() const {
    if (new_ < old_) {
      mappings.remove(from_ + new_, from_ + old_);
    } else if (new_ > old_ && old_ > 0) {
      const MappingTable::Piece* const last = mappings.first_after(from_ + old_ - 1);
      if (last != nullptr && last->begin < from_ + old_) {
        mappings.insert(from_ + old_, from_ + new_, last->file);
      }
    }
  }

  const std::uintptr_t from_;
  const std::size_t old_;
  const std::uintptr_t to_;
  const std::size_t new_;
};

void* remap_ours(void* address, std::size_t old_length, std::size_t new_length, int flags, void* wanted) {
  const std::size_t old_pages = whole_pages(old_length);
  const std::size_t new_pages = whole_pages(new_length);
  const Quiet quiet(mappings.lock());
  if (Moved(number(address), old_pages, 0, new_pages).grows_what_may_not()) {
    return as_mmap_returns(-EFAULT);
  }
  if (mappings.reserve(4) < 0) {
    return as_mmap_returns(-ENOMEM);
  }
  void* const moved = next_mremap(address, old_length, new_length, flags, wanted);
  if (moved != MAP_FAILED) {
    Moved(number(address), old_pages, number(moved), new_pages).note((flags & MREMAP_DONTUNMAP) != 0);
  }
  return moved;
}

}  // namespace

DMMAP_STANDS_BEFORE void* mmap(void* address, std::size_t length, int prot, int flags, int fd, off_t offset) noexcept {
  return map_any(address, length, prot, flags, fd, offset);
}

DMMAP_STANDS_BEFORE void* mmap64(void* address, std::size_t length, int prot, int flags, int fd,
                                 off64_t offset) noexcept {
  return map_any(address, length, prot, flags, fd, offset);
}

DMMAP_STANDS_BEFORE int munmap(void* address, std::size_t length) noexcept {
  if (!mappings.may_overlap(number(address), length)) {
    return next_munmap(address, length);
  }
  const Quiet quiet(mappings.lock());
  if (mappings.reserve(1) < 0) {
    errno = ENOMEM;
    return -1;
  }
  const int result = next_munmap(address, length);
  if (result == 0) {
    mappings.remove(number(address), number(address) + whole_pages(length));
  }
  return result;
}

DMMAP_STANDS_BEFORE void* mremap(void* address, std::size_t old_length, std::size_t new_length, int flags,
                                 ...) noexcept {
  void* wanted = nullptr;
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0) {
    std::va_list arguments;
    va_start(arguments, flags);
    wanted = va_arg(arguments, void*);
    va_end(arguments);
  }
  const bool ours = mappings.may_overlap(number(address), std::max<std::size_t>(old_length, 1)) ||
                    ((flags & MREMAP_FIXED) != 0 && mappings.may_overlap(number(wanted), new_length));
  return ours ? remap_ours(address, old_length, new_length, flags, wanted)
              : next_mremap(address, old_length, new_length, flags, wanted);
}

// What isn't to be inherited stays so.
DMMAP_STANDS_BEFORE int madvise(void* address, std::size_t length, int advice) noexcept {
  if (advice == MADV_DOFORK && mappings.may_overlap(number(address), length)) {
    const Quiet quiet(mappings.lock());
    for (std::uintptr_t at = number(address); at < number(address) + length;) {
      const MappingTable::Piece* const piece = mappings.first_after(at);
      if (piece == nullptr || piece->begin >= number(address) + length) {
        break;
      }
      if ((mappings.file(piece->file).grant_flags & protocol::map::kDontCopy) != 0) {
        errno = EINVAL;
        return -1;
      }
      at = piece->end;
    }
  }
  return next_madvise(address, length, advice);
}

}  // namespace dmmap::preload
