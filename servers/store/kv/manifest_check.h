// Whether the file that lists a database's files is there, and as long as it was known to be.
//
// RocksDB appends to it, takes it as it is when its end is missing (db/version_set.cc), and removes the files that it
// then doesn't list.
#pragma once

#include <dmmap/error.h>

#include <filesystem>

#include "servers/store/kv/synced_state.h"

namespace dmmap::store {

/// `known` is nothing's when nothing is known. Errors: EIO, with what is wrong and what to do.
Result<void> check_manifest(const std::filesystem::path& database, const FilePosition& known);

}  // namespace dmmap::store
