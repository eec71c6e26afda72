// check_tree: whether a store's names, inodes and attributes are as they promise each other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "servers/store/kv/reader.h"

namespace dmmap::store {

struct TreeCounts {
  std::uint64_t files = 0;  ///< of all types but directories
  std::uint64_t directories = 0;
  std::uint64_t orphans = 0;  ///< of these, without a name
  std::uint64_t damaged = 0;  ///< what was complained of
};

/// Goes through all tables but the pages' own. Calls `complain` for each thing that is wrong: a name without a file, a
/// wrong number of links, entries or pages, a directory that isn't below the root, a file that nothing names and that
/// is no orphan, pages or attributes of no file. Takes 64 bytes of memory for each file. Errors: EIO when the tables
/// can't be gone through.
Result<TreeCounts> check_tree(const Reader& reader, const std::function<void(const std::string&)>& complain);

}  // namespace dmmap::store
