// MappingTable: which addresses show what was granted, and which open file each grant's piece is held by.
//
// Invariants: pieces_ are sorted, disjoint, and of whole pages; a file is open as long as a piece counts it, and is
// closed, which ends the grant, when the last one goes. Thread safety: may_overlap() from anywhere; the others under
// lock(), by Quiet. Memory comes from the kernel page by page, since malloc may map.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/quiet.h"
#include "preload/storage.h"

namespace dmmap::preload {

class MappingTable {
 public:
  [[nodiscard]] Lock& lock() { return lock_; }

  /// False when certainly nothing in [begin, begin + length) is ours.
  [[nodiscard]] bool may_overlap(std::uintptr_t begin, std::size_t length) const {
    return begin < highest_.load(std::memory_order_relaxed) && begin + length > lowest_.load(std::memory_order_relaxed);
  }

  struct File {
    int fd = -1;  // -1: a free place
    std::uint32_t pieces = 0;
    std::uint32_t grant_flags = 0;
  };
  /// A file that holds a grant, with no piece yet. Its number. REQUIRES: reserve().
  std::uint32_t add_file(int fd, std::uint32_t grant_flags);
  /// Closes a file that has no piece.
  void drop_file(std::uint32_t file);
  /// Room for so many more. Zero, or a negative errno.
  long reserve(std::size_t pieces, std::size_t files = 0);
  /// REQUIRES: reserve(), and that nothing of ours is there.
  void insert(std::uintptr_t begin, std::uintptr_t end, std::uint32_t file);
  /// Nothing in [begin, end) is ours any more. REQUIRES: reserve(1), unless begin and end are where pieces begin and
  /// end.
  void remove(std::uintptr_t begin, std::uintptr_t end);

  struct Piece {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::uint32_t file = 0;
  };
  /// The first piece that ends after `address`; null when there is none.
  [[nodiscard]] const Piece* first_after(std::uintptr_t address) const;
  [[nodiscard]] const File& file(std::uint32_t number) const { return files_[number]; }
  /// Gives the file that `fd` is another number, since the program wants this one. Zero, or a negative errno.
  long move_file(int fd);
  /// In a child after fork(2): what isn't inherited is gone.
  void forget_what_is_not_inherited();

 private:
  void count(std::uint32_t file, int change);
  void note_bounds();

  Lock lock_;
  std::atomic<std::uintptr_t> lowest_{~std::uintptr_t{0}};
  std::atomic<std::uintptr_t> highest_{0};
  Storage<Piece> pieces_;
  Storage<File> files_;
  std::size_t used_pieces_ = 0;
  std::size_t used_files_ = 0;
  std::size_t first_free_ = 0;  // no free place in files_ is before it
};

/// The process's one.
extern constinit MappingTable mappings;  // NOLINT(bugprone-dynamic-static-initializers): constinit

/// Gives a descriptor a number that programs don't come upon, and marks it as held. The new number, or `fd` as it is
/// where there's none.
[[nodiscard]] int hold(int fd);

}  // namespace dmmap::preload
