#include "servers/store/kv/synced_state.h"

#include <fmt/format.h>

#include <sstream>

#include "servers/store/kv/batch_header.h"
#include "servers/store/kv/checksum.h"
#include "servers/store/kv/numbers.h"

namespace dmmap::store {

namespace {

constexpr std::string_view kTitle = "what dmmap knows to be on the disk, to tell damage from a power cut\n";
constexpr std::string_view kNote = "dmmap synced ";

constexpr char kLogData = 3;  // the tag of what is in the log only (db/dbformat.h)

constexpr std::size_t kLastLine = 16;

std::string last_line(std::string_view before) {
  return fmt::format("sum    {:08x}\n", crc32c(before));
}

}  // namespace

std::string text_of(const SyncedState& state) {
  std::string text(kTitle);
  text += fmt::format("sequence {}\nfirst {} {}\nmanifest {} {}\n", state.sequence, state.first_log,
                      state.first_sequence, state.manifest.number, state.manifest.bytes);
  std::string logs;
  for (auto log = state.logs.rbegin(); log != state.logs.rend(); ++log) {
    const std::string line = fmt::format("log {} {}\n", log->number, log->bytes);
    if (text.size() + line.size() + logs.size() + kLastLine > kSyncedFileSize) {
      break;
    }
    logs.insert(0, line);
  }
  text += logs;
  text.resize(kSyncedFileSize - kLastLine, '\n');
  return text + last_line(text);
}

std::optional<SyncedState> parse_synced_state(std::string_view text) {
  constexpr std::size_t kEnd = kSyncedFileSize - kLastLine;
  if (text.size() != kSyncedFileSize || !text.starts_with(kTitle) ||
      text.substr(kEnd) != last_line(text.substr(0, kEnd))) {
    return std::nullopt;
  }
  std::istringstream in{std::string(text.substr(kTitle.size(), kEnd - kTitle.size()))};
  SyncedState state;
  std::string word;
  in >> word >> state.sequence >> word >> state.first_log >> state.first_sequence;
  in >> word >> state.manifest.number >> state.manifest.bytes;
  if (!in) {
    return std::nullopt;
  }
  for (FilePosition log; in >> word >> log.number >> log.bytes;) {
    state.logs.push_back(log);
  }
  return state;
}

std::string log_note(std::uint64_t sequence, std::string_view identity) {
  return std::string(kNote) + encode({sequence}) + std::string(identity);
}

std::optional<std::uint64_t> parse_record_note(std::string_view record, std::string_view identity) {
  if (record.size() < BatchHeader::kSize + 2 || record[BatchHeader::kSize] != kLogData || identity.empty()) {
    return std::nullopt;
  }
  // Its size takes one byte, being below 128.
  const std::size_t size = static_cast<unsigned char>(record[BatchHeader::kSize + 1]);
  const std::string_view note = record.substr(BatchHeader::kSize + 2, size);
  if (note.size() != kNote.size() + kNumberSize + identity.size() || !note.starts_with(kNote) ||
      !note.ends_with(identity)) {
    return std::nullopt;
  }
  return decode<1>(note.substr(kNote.size(), kNumberSize))->front();
}

}  // namespace dmmap::store
