#include "preload/mapping_table.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include "preload/descriptor_table.h"
#include "protocol/map_protocol.h"

namespace dmmap::preload {

constinit MappingTable mappings;

namespace {

// Above what programs count on, below what they may have.
int first_hidden_number() {
  rlimit limit{};
  constexpr rlim_t kUsual = 1024;
  rlim_t most = kUsual;
  if (system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) == 0) {
    most = std::min(most, limit.rlim_cur);
  }
  return static_cast<int>(most * 3 / 4);
}

}  // namespace

int hold(int fd) {
  const long moved = system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, first_hidden_number());
  if (!is_error(moved)) {
    system_call(SYS_close, fd);
    fd = static_cast<int>(moved);
  }
  descriptors.set_held(fd, true);
  return fd;
}

std::uint32_t MappingTable::add_file(int fd, std::uint32_t grant_flags) {
  std::size_t place = first_free_;
  while (place < used_files_ && files_[place].fd >= 0) {
    ++place;
  }
  used_files_ = std::max(used_files_, place + 1);
  first_free_ = place + 1;
  files_[place] = {fd, 0, grant_flags};
  return static_cast<std::uint32_t>(place);
}

void MappingTable::drop_file(std::uint32_t file) {
  File& entry = files_[file];
  descriptors.set_held(entry.fd, false);
  system_call(SYS_close, entry.fd);
  entry.fd = -1;
  first_free_ = std::min<std::size_t>(first_free_, file);
}

void MappingTable::count(std::uint32_t file, int change) {
  files_[file].pieces += static_cast<std::uint32_t>(change);
  if (files_[file].pieces == 0) {
    drop_file(file);
  }
}

long MappingTable::reserve(std::size_t pieces, std::size_t files) {
  const long room = pieces_.reserve(used_pieces_ + pieces);
  return room < 0 || files == 0 ? room : files_.reserve(used_files_ + files);
}

const MappingTable::Piece* MappingTable::first_after(std::uintptr_t address) const {
  const Piece* const end = pieces_.begin() + used_pieces_;
  const Piece* const found = std::upper_bound(
      pieces_.begin(), end, address, [](std::uintptr_t wanted, const Piece& piece) { return wanted < piece.end; });
  return found == end ? nullptr : found;
}

void MappingTable::note_bounds() {
  lowest_.store(used_pieces_ == 0 ? ~std::uintptr_t{0} : pieces_[0].begin, std::memory_order_relaxed);
  highest_.store(used_pieces_ == 0 ? 0 : pieces_[used_pieces_ - 1].end, std::memory_order_relaxed);
}

void MappingTable::insert(std::uintptr_t begin, std::uintptr_t end, std::uint32_t file) {
  const Piece* const after = first_after(begin);
  const std::size_t at = after == nullptr ? used_pieces_ : static_cast<std::size_t>(after - pieces_.begin());
  std::memmove(pieces_.begin() + at + 1, pieces_.begin() + at, (used_pieces_ - at) * sizeof(Piece));
  pieces_[at] = {begin, end, file};
  ++used_pieces_;
  count(file, 1);
  note_bounds();
}

void MappingTable::remove(std::uintptr_t begin, std::uintptr_t end) {
  const Piece* const first = first_after(begin);
  if (first == nullptr || first->begin >= end) {
    return;
  }
  auto at = static_cast<std::size_t>(first - pieces_.begin());
  if (pieces_[at].begin < begin) {
    const Piece whole = pieces_[at];
    pieces_[at].end = begin;
    if (whole.end > end) {  // a hole in the middle
      insert(end, whole.end, whole.file);
      return;
    }
    ++at;
  }
  std::size_t beyond = at;
  while (beyond < used_pieces_ && pieces_[beyond].end <= end) {
    ++beyond;
  }
  if (beyond < used_pieces_ && pieces_[beyond].begin < end) {
    pieces_[beyond].begin = end;
  }
  for (std::size_t each = at; each < beyond; ++each) {
    count(pieces_[each].file, -1);
  }
  std::memmove(pieces_.begin() + at, pieces_.begin() + beyond, (used_pieces_ - beyond) * sizeof(Piece));
  used_pieces_ -= beyond - at;
  note_bounds();
}

long MappingTable::move_file(int fd) {
  for (std::size_t each = 0; each < used_files_; ++each) {
    if (files_[each].fd == fd) {
      const long moved = system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, first_hidden_number());
      if (is_error(moved)) {
        return moved;
      }
      files_[each].fd = static_cast<int>(moved);
      descriptors.set_held(files_[each].fd, true);
      descriptors.set_held(fd, false);
      return 0;
    }
  }
  return 0;
}

void MappingTable::forget_what_is_not_inherited() {
  for (std::size_t at = used_pieces_; at-- > 0;) {
    const Piece piece = pieces_[at];
    if ((files_[piece.file].grant_flags & protocol::map::kDontCopy) != 0) {
      remove(piece.begin, piece.end);
    }
  }
}

}  // namespace dmmap::preload
