// Whether the files that a database's tables are in are whole.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "servers/store/kv/database.h"

namespace dmmap::store {

/// Reads all but pages' bytes, and tells what is wrong of each file, of which there may be more: RocksDB tells of the
/// first table only. Returns how many complaints there were.
std::uint64_t check_table_files(const Database& database, const std::function<void(const std::string&)>& complain);

}  // namespace dmmap::store
