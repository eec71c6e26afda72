// PageReferences: how many places of all files show a page. The table has those of which there are two or more, so that
// files that share nothing cost nothing.
#pragma once

#include <dmmap/ids.h>

#include <vector>

#include "servers/store/pages/run_table.h"

namespace dmmap::store {

/// A store is one region: its pages are named by their numbers. A number is given out once: a page that was freed
/// doesn't come back.
class PageReferences {
 public:
  /// Pages whose runs of references are kept apart from the next ones': how far back is to be looked for one that
  /// reaches here, over those that were removed lately. 4 MiB, 256 entries for a shared gibibyte.
  static constexpr std::uint64_t kBlock = 1024;

  /// `pages`, in runs whose value is how often they're referred to. REQUIRES: each is, once at least. Errors: EIO.
  [[nodiscard]] static Result<std::vector<Run>> of(const Reader& reader, PageRange pages);
  /// One more place shows each of `pages`.
  static Result<void> add(Transaction& transaction, PageRange pages);
  /// The same for each of `pages`, which may overlap; those that lie side by side are one step.
  static Result<void> add_all(Transaction& transaction, std::vector<PageRange> pages);
  /// One place fewer. Returns those that nothing shows any more.
  static Result<std::vector<PageRange>> drop(Transaction& transaction, PageRange pages);

 private:
  static Result<void> set(Transaction& transaction, PageRange pages, const std::vector<Run>& references);
};

}  // namespace dmmap::store
