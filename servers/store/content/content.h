// Content: a file's bytes, as read(2), write(2), ftruncate(2), fallocate(2), lseek(2) and copy_file_range(2) have them.
//
// Promises: what was never written, or was punched, is zeros; bytes beyond the size are zeros when the file grows over
// them. Each call changes the inode that it's given, for the caller to put in the same transaction, and touches a
// bounded number of runs of pages: what may be longer says how far it came. Invariant, after each commit: no page lies
// beyond the size, except of files in the table `excess`, from which trim() takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "servers/store/tree/inode.h"

namespace dmmap::store {

/// The largest size of a file, in bytes: what off_t has.
inline constexpr std::uint64_t kLargestFile = INT64_MAX;

class Content {
 public:
  explicit Content(Inode& inode) : inode_(inode), pages_(inode.file) {}

  /// Returns how many bytes there were: fewer than asked for at the file's end.
  Result<std::size_t> read(const Reader& reader, std::uint64_t offset, std::span<std::byte> to) const;
  /// Errors: EFBIG.
  Result<void> write(Transaction& transaction, std::uint64_t offset, std::span<const std::byte> from);
  /// Returns whether trim() is to be called before the file grows again. Errors: EFBIG.
  Result<bool> resize(Transaction& transaction, std::uint64_t size);
  /// Takes pages beyond the size away. Returns as resize().
  Result<bool> trim(Transaction& transaction);
  /// Makes a hole, of whole pages, and zeros where it isn't; the size stays. Returns where it ended: at `end`, or
  /// before that with more to be done.
  Result<std::uint64_t> punch(Transaction& transaction, std::uint64_t begin, std::uint64_t end);
  /// Shows what `source` has from `begin` to `end` at `to` on: the same pages. Returns how many bytes, from 1 on: all,
  /// or whole pages, which may be fewer than asked for. Errors: EOPNOTSUPP where no whole page can be shared: copy the
  /// bytes; EFBIG. REQUIRES: in one file, the two don't overlap.
  Result<std::uint64_t> share(Transaction& transaction, const Inode& source, std::uint64_t begin, std::uint64_t end,
                              std::uint64_t to);
  /// Where the next data begins, or with `hole` the next hole, which the file's end is too. Errors: ENXIO when `offset`
  /// isn't below the size, or no data comes.
  [[nodiscard]] Result<std::uint64_t> seek(const Reader& reader, std::uint64_t offset, bool hole) const;

  /// Whether all of this is in pages that the file has.
  [[nodiscard]] static Result<bool> is_there(const Reader& reader, FileId file, std::uint64_t offset, std::size_t size);

 private:
  void count(std::int64_t more) { inode_.pages += static_cast<std::uint64_t>(more); }
  /// A bounded part of `pages`. Returns where it ended.
  Result<std::uint64_t> punch_pages(Transaction& transaction, PageSpan pages);
  Result<void> zero(Transaction& transaction, std::uint64_t begin, std::uint64_t end);

  Inode& inode_;
  const FilePages pages_;
};

/// Content::trim() in a transaction of its own, after resize(), or of what a crash left in the table `excess`.
Result<bool> trim(Database& database, FileId file);

}  // namespace dmmap::store
