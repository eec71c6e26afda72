// check_pages: whether a store's pages are as its lists say, page by page.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "servers/store/kv/reader.h"

namespace dmmap::store {

struct PageCounts {
  std::uint64_t shown = 0;    ///< places in files that show a page
  std::uint64_t pages = 0;    ///< pages that are shown
  std::uint64_t shared = 0;   ///< of these, by two places or more
  std::uint64_t freed = 0;    ///< whose bytes are still to be removed
  std::uint64_t damaged = 0;  ///< what was complained of
};

/// Reads every page (RocksDB compares checksums), and counts who shows it. Calls `complain` for each thing that is
/// wrong: bytes that can't be read or are missing, counts that are wrong, pages that nothing shows and that aren't
/// freed. Takes 32 bytes of memory for each run of pages in files. Errors: EIO when the tables can't be gone through.
Result<PageCounts> check_pages(const Reader& reader, const std::function<void(const std::string&)>& complain);

}  // namespace dmmap::store
