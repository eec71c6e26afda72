// SyncedState: how much of a store's database is known to be on the disk.
//
// A power cut may take the end of RocksDB's log, and nothing is wrong then. What tells that from damage is a note of
// what was synced, taken down only after it was: damage to what is noted is damage. Notes may be old, or lost, since
// they're not synced themselves: then they say less, and never too much. They're in two places:
//
// - a file in the store's folder, written some time after each sync. It tells of a log or a MANIFEST that is gone or
// was
//   cut off; a power cut may leave an old one.
// - in the log itself, with the first changes after each sync, which the next sync brings to the disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dmmap::store {

struct FilePosition {
  std::uint64_t number = 0;  ///< RocksDB's, which are given out once
  std::uint64_t bytes = 0;
  bool operator==(const FilePosition&) const = default;
};

struct SyncedState {
  std::uint64_t sequence = 0;        ///< RocksDB's number of the newest entry that is on the disk
  std::uint64_t first_log = 0;       ///< the one that was begun when the store was opened
  std::uint64_t first_sequence = 0;  ///< what is in it comes after that
  FilePosition manifest;
  std::vector<FilePosition> logs;  ///< the oldest first; only the last one grows
};

inline constexpr std::size_t kSyncedFileSize = 1024;
inline constexpr const char* kSyncedFile = "synced";

/// A file's text, of the size above; of many logs it may leave out old ones.
[[nodiscard]] std::string text_of(const SyncedState& state);
/// Nothing when it's none, or not whole.
[[nodiscard]] std::optional<SyncedState> parse_synced_state(std::string_view text);

/// The note in the log: a record's first entry, which is in no table. `identity` is the database's: a program may
/// well keep another one's log in this one.
[[nodiscard]] std::string log_note(std::uint64_t sequence, std::string_view identity);
/// How much of a record is to be given to parse_record_note().
inline constexpr std::size_t kRecordHead = 128;
/// The sequence that a record's note tells; nothing when it has none, or another database's.
[[nodiscard]] std::optional<std::uint64_t> parse_record_note(std::string_view record, std::string_view identity);

}  // namespace dmmap::store
