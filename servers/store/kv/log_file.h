// LogFile: what one of RocksDB's logs has in it, as far as it takes to judge whether it's whole.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace dmmap::store {

struct LogFile {
  /// Where reading it in order ends, and RocksDB drops what comes after.
  struct Break {
    std::uint64_t byte = 0;
    std::uint64_t end = 0;  ///< of what is broken, as it says itself
    std::string why;
  };

  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  std::optional<Break> broken;         ///< nothing when it's whole
  std::optional<std::uint64_t> first;  ///< the number of its first entry
  bool jumps = false;                  ///< that may be above what follows the log before; see RecordOrder
  std::optional<std::uint64_t> next;   ///< what the entry after the last one has, of those before the break
  std::optional<std::uint64_t> after;  ///< the first entry's that can be read after the break
  std::uint64_t synced = 0;            ///< the newest entry that a note in it, wherever, says to be on the disk
};

/// `identity` is the database's. Errors: errno's.
Result<LogFile> read_log(const std::filesystem::path& path, std::uint64_t number, std::string_view identity);

}  // namespace dmmap::store
