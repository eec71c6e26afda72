// PageReferences: how many places of all files show a page. The table has those of which there are two or more, so that
// files that share nothing cost nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "servers/store/pages/run_table.h"

namespace dmmap::store {

/// Pages by their numbers. A number is given out once: a page that was freed doesn't come back.
struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  auto operator<=>(const PageRun&) const = default;
};

class PageReferences {
 public:
  /// `pages`, in runs whose value is how often they're referred to. REQUIRES: each is, once at least. Errors: EIO.
  [[nodiscard]] static Result<std::vector<Run>> of(const Reader& reader, PageRun pages);
  /// One more place shows each of `pages`.
  static Result<void> add(Transaction& transaction, PageRun pages);
  /// One place fewer. Returns those that nothing shows any more.
  static Result<std::vector<PageRun>> drop(Transaction& transaction, PageRun pages);

 private:
  static Result<void> set(Transaction& transaction, PageRun pages, const std::vector<Run>& references);
};

}  // namespace dmmap::store
