// count_store: how much is in a store, from its tables alone, without reading the pages.
#pragma once

#include <cstdint>

#include "servers/store/kv/reader.h"

namespace dmmap::store {

struct StoreCounts {
  std::uint64_t files = 0;  ///< of all types but directories
  std::uint64_t directories = 0;
  std::uint64_t orphans = 0;   ///< of these, without a name
  std::uint64_t shown = 0;     ///< places in files that show a page
  std::uint64_t shared = 0;    ///< pages that two places or more show
  std::uint64_t repeated = 0;  ///< places that show such a page again
  std::uint64_t freed = 0;     ///< pages that nothing shows, whose bytes are still to be removed

  /// Pages that are shown.
  [[nodiscard]] std::uint64_t pages() const { return shown - repeated; }
};

/// Errors: EIO when the tables can't be gone through.
[[nodiscard]] Result<StoreCounts> count_store(const Reader& reader);

}  // namespace dmmap::store
