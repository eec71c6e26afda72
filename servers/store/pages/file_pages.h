// FilePages: the pages of a store's files: what each file shows where, and the pages' bytes.
//
// A file is a list of page numbers, with holes. A copy is a list that names the same pages; a page that several places
// show is never changed: who writes there gets a page of their own. Invariants, after each commit: a page that a list
// names has bytes; PageReferences counts the places that show it; a page that no list names is in the table `freed`,
// or has no bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "servers/store/kv/reader.h"
#include "servers/store/kv/transaction.h"
#include "servers/store/pages/file_id.h"
#include "servers/store/pages/page_references.h"

namespace dmmap::store {

/// The size of a page in the store, in bytes, whatever the machine's is: a store can be moved to another machine.
inline constexpr std::size_t kStorePage = 4096;

/// A file's pages from `first` to `end`, in pages.
struct PageSpan {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

/// All calls that change something do so in a transaction, which takes memory by how many runs of pages they touch: a
/// span that may have very many is done piece by piece. They return how many pages more the file has then. Errors: EIO
/// for what is damaged.
class FilePages {
 public:
  explicit FilePages(FileId file);

  /// The bytes of `to.size()` / kStorePage pages from page `first` on; zeros where there's none. Errors: EIO for a
  /// page that is damaged, by its number.
  Result<void> read(const Reader& reader, std::uint64_t first, std::span<std::byte> to) const;
  /// REQUIRES: whole pages.
  Result<std::int64_t> write(Transaction& transaction, std::uint64_t first, std::span<const std::byte> from) const;
  /// Shows at `to` on what `source` shows at `pages`: the same pages. REQUIRES: they don't overlap in one file.
  Result<std::int64_t> share(Transaction& transaction, const FilePages& source, PageSpan pages, std::uint64_t to) const;
  /// What was done of that which may be too much for one transaction.
  struct Changed {
    std::uint64_t end = 0;  ///< to which page: the span's end when all is done
    std::int64_t more = 0;  ///< pages that the file has more
  };
  /// As share(), at the same place, where this file has nothing and nothing after it, of `most` runs of pages at most:
  /// what it shows is added to `shown`, for the caller to hand to PageReferences::add_all before the transaction ends.
  Result<Changed> share_later(Transaction& transaction, const FilePages& source, PageSpan pages, std::size_t most,
                              std::vector<PageRange>& shown) const;
  /// Makes a hole.
  Result<std::int64_t> punch(Transaction& transaction, PageSpan pages) const;
  /// The first page of `pages` that is there, or with `hole` that isn't.
  [[nodiscard]] Result<std::optional<std::uint64_t>> find(const Reader& reader, PageSpan pages, bool hole) const;
  /// As punch(), but of the first `most` runs of pages at most.
  Result<Changed> punch_some(Transaction& transaction, PageSpan pages, std::size_t most) const;
  /// How much `pages` may be for share() and punch() to touch `most` runs of pages: that many, or fewer.
  [[nodiscard]] Result<PageSpan> within(const Reader& reader, PageSpan pages, std::size_t most) const;
  /// How many pages are there.
  [[nodiscard]] Result<std::uint64_t> count(const Reader& reader, PageSpan pages) const;

 private:
  [[nodiscard]] Result<std::vector<Run>> written(Transaction& transaction, const Run& run,
                                                 std::vector<PageRange>& given_up) const;
  /// The list says `fresh` of `pages`, of which it said `old`. Returns how many pages more it has.
  Result<std::int64_t> replace(Transaction& transaction, PageSpan pages, const std::vector<Run>& old,
                               const std::vector<Run>& fresh) const;
  /// As replace(), and what was shown there is shown by a place fewer.
  Result<std::int64_t> show(Transaction& transaction, PageSpan pages, const std::vector<Run>& fresh) const;

  RunTable list_;
};

/// What reap_pages() did.
struct Reaped {
  PageRange between;        ///< where those pages lie, and perhaps others
  std::uint64_t count = 0;  ///< 0 when there were none left
};
/// Removes the bytes of pages that nobody refers to any more, a bounded number at a time. Errors: EIO, ENOSPC. Thread
/// safety: any thread, one at a time.
Result<Reaped> reap_pages(Database& database);
/// Has RocksDB give back the room of such pages, which were removed between `pages`' first and last; it waits for that.
/// With `tight` also where others lie between them, which takes longer. Errors: EIO, ENOSPC.
Result<void> give_room_back(Database& database, PageRange pages, bool tight);

}  // namespace dmmap::store
