// The files that a RocksDB database consists of, as far as the store knows them.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "servers/store/kv/synced_state.h"

namespace rocksdb {
class Status;
}

namespace dmmap::store {

inline constexpr const char* kDatabaseFolder = "rocksdb";  // in the store's

[[nodiscard]] std::filesystem::path log_path(const std::filesystem::path& database, std::uint64_t number);
/// Those that are there, with their sizes, the oldest first.
[[nodiscard]] std::vector<FilePosition> logs_in(const std::filesystem::path& database);
/// A MANIFEST's, as CURRENT has it.
[[nodiscard]] std::string manifest_name(std::uint64_t number);
/// Nothing when it isn't one's.
[[nodiscard]] std::optional<std::uint64_t> manifest_number(std::string_view name);

/// A file's or a folder's. Errors: errno's.
Result<void> sync_path(const std::filesystem::path& path);
/// Why RocksDB couldn't open it, and what to do. REQUIRES: it couldn't
[[nodiscard]] Result<void> broken_database(const rocksdb::Status& status, const std::filesystem::path& database);

}  // namespace dmmap::store
