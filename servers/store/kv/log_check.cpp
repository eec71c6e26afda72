#include "servers/store/kv/log_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include "servers/store/kv/database.h"
#include "servers/store/kv/database_files.h"
#include "servers/store/kv/log_file.h"
#include "servers/store/kv/log_filter.h"
#include "servers/store/kv/manifest_check.h"
#include "servers/store/kv/synced_state.h"
#include "servers/store/kv/table.h"

namespace dmmap::store {

namespace {

namespace fs = std::filesystem;

// Brings nothing.
class NoRecords final : public LogFilter {
 public:
  WalProcessingOption LogRecordFound(unsigned long long /*log*/, const std::string& /*name*/,
                                     const rocksdb::WriteBatch& /*batch*/, rocksdb::WriteBatch* /*new_batch*/,
                                     bool* /*changed*/) override {
    return WalProcessingOption::kStopReplay;
  }
};

// The first log that RocksDB needs; 0 when there's no log at all.
Result<std::uint64_t> first_needed_log(const fs::path& database) {
  NoRecords filter;
  rocksdb::DBOptions options;
  options.wal_filter = &filter;
  options.max_open_files = 64;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  std::transform(kTableNames.begin(), kTableNames.end(), std::back_inserter(families), [](std::string_view name) {
    return rocksdb::ColumnFamilyDescriptor(std::string(name), rocksdb::ColumnFamilyOptions());
  });
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, database.string(), families, &handles, &db);
  if (!status.ok()) {
    return tl::unexpected(broken_database(status, database).error());
  }
  // A table in which nothing has changed for long needs the log from back then, by itself; that it has nothing there is
  // what the list of files says besides, before logs are removed (db/memtable_list.cc, TryInstallMemtableFlushResults).
  std::uint64_t kept = 0;
  db->GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &kept);
  for (rocksdb::ColumnFamilyHandle* const each : handles) {
    db->DestroyColumnFamilyHandle(each).PermitUncheckedError();
  }
  delete db;
  return std::max(filter.first_needed(), kept);
}

// What is known of some logs, and judges them.
class Judgement {
 public:
  Judgement(const fs::path& database, std::vector<LogFile> logs, std::optional<SyncedState> state)
      : database_(database), logs_(std::move(logs)), state_(std::move(state)), synced_(state_ ? state_->sequence : 0) {
    for (const LogFile& log : logs_) {
      synced_ = std::max(synced_, log.synced);
    }
  }

  [[nodiscard]] LogTrouble trouble() const {
    LogTrouble trouble;
    look_for_logs(trouble);
    for (std::size_t each = 0; each < logs_.size(); ++each) {
      if (const std::string loss = loss_at(each); !loss.empty()) {
        trouble.losses.push_back(loss);
        for (auto dropped = logs_.begin() + static_cast<std::ptrdiff_t>(each); dropped != logs_.end(); ++dropped) {
          trouble.logs.push_back(dropped->number);
        }
        // Where it's not by its own bytes that RocksDB sees where a log ends, it would go on with the next one.
        trouble.acceptable = trouble.acceptable && (logs_[each].broken || each + 1 == logs_.size());
        break;  // what comes after is dropped with it
      }
    }
    return trouble;
  }

 private:
  [[nodiscard]] std::string name(std::uint64_t log) const { return log_path(database_, log).string(); }

  // Those that are known to have been there.
  void look_for_logs(LogTrouble& trouble) const {
    for (const FilePosition& known : state_ ? state_->logs : std::vector<FilePosition>()) {
      const auto found =
          std::find_if(logs_.begin(), logs_.end(), [&known](const LogFile& log) { return log.number == known.number; });
      if (found == logs_.end() && known.bytes > 0) {
        trouble.losses.push_back(
            fmt::format("{} is missing, with {} bytes of changes", name(known.number), known.bytes));
        const bool last = logs_.empty() || logs_.back().number < known.number;
        trouble.acceptable = trouble.acceptable && last;
      }
    }
  }

  // What the entry has that follows on the whole logs before, if that is known.
  [[nodiscard]] std::optional<std::uint64_t> expected_in(std::size_t each) const {
    if (state_ && logs_[each].number == state_->first_log) {
      return state_->first_sequence + 1;
    }
    return each > 0 && !logs_[each - 1].broken ? next_after(each - 1) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::uint64_t> next_after(std::size_t each) const {
    const auto before = expected_in(each);
    return before && logs_[each].next ? std::max(*before, *logs_[each].next)
           : logs_[each].next         ? logs_[each].next
                                      : before;
  }

  // What was synced and is lost at the end of what can be read of a log; "" when nothing.
  [[nodiscard]] std::string loss_at(std::size_t each) const {
    const LogFile& log = logs_[each];
    const auto known = known_bytes(log.number);
    if (known && log.bytes < *known) {
      return fmt::format("{} is cut off: it has {} bytes and had at least {}", name(log.number), log.bytes, *known);
    }
    const auto next = next_after(each);
    if (!log.broken) {
      return loss_behind(each, next);
    }
    const LogFile::Break& broken = *log.broken;
    bool lost = false;
    if (next) {
      lost = *next <= synced_;
    } else {
      lost = (log.after && *log.after <= synced_) || (known && broken.end <= *known);
    }
    return lost ? fmt::format("{} is damaged at byte {} of {} ({}), in what was on the disk already", name(log.number),
                              broken.byte, log.bytes, broken.why)
                : "";
  }

  // As above, for a log that is whole as far as it goes.
  [[nodiscard]] std::string loss_behind(std::size_t each, std::optional<std::uint64_t> next) const {
    if (!next || *next > synced_) {
      return "";
    }
    const auto with_entries = std::find_if(logs_.begin() + static_cast<std::ptrdiff_t>(each) + 1, logs_.end(),
                                           [](const LogFile& log) { return log.first || log.broken; });
    if (with_entries == logs_.end()) {
      return fmt::format("{} is cut off at byte {}: what came after was on the disk already", name(logs_[each].number),
                         logs_[each].bytes);
    }
    const bool follows = with_entries->broken && !with_entries->first;  // that is said where it's looked at
    return follows || with_entries->jumps || *with_entries->first == *next
               ? ""
               : fmt::format("{} is cut off at byte {}, or a log after it is missing: {} doesn't go on from there",
                             name(logs_[each].number), logs_[each].bytes, name(with_entries->number));
  }

  [[nodiscard]] std::optional<std::uint64_t> known_bytes(std::uint64_t number) const {
    for (const FilePosition& known : state_ ? state_->logs : std::vector<FilePosition>()) {
      if (known.number == number) {
        return known.bytes;
      }
    }
    return std::nullopt;
  }

  const fs::path& database_;
  const std::vector<LogFile> logs_;
  const std::optional<SyncedState> state_;
  std::uint64_t synced_;
};

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Result<LogTrouble> check_logs(const fs::path& folder, const fs::path& database) {
  // First: a server may be writing. What it has noted, it has written.
  const std::string note = content_of(folder / kSyncedFile);
  auto state = parse_synced_state(note);
  if (auto good = check_manifest(database, state ? state->manifest : FilePosition()); !good) {
    return tl::unexpected(good.error());
  }
  const std::string identity = content_of(database / "IDENTITY");
  std::vector<LogFile> logs;
  for (const FilePosition& each : logs_in(database)) {
    const auto log = read_log(log_path(database, each.number), each.number,
                              std::string_view(identity).substr(0, identity.find('\n')));
    if (log) {
      logs.push_back(*log);
    } else if (log.error().code != ENOENT) {
      return tl::unexpected(log.error());
    }
  }
  LogTrouble trouble = Judgement(database, logs, state).trouble();
  if (!trouble.losses.empty()) {
    // It may be with a log that isn't needed any more: all that it had is in tables.
    const auto first = first_needed_log(database);
    if (!first) {
      return tl::unexpected(first.error());
    }
    if (state && (state->logs.empty() || state->logs.back().number < *first)) {
      state->sequence = 0;  // the note is older than what is there now
    }
    if (state) {
      std::erase_if(state->logs, [&first](const FilePosition& log) { return log.number < *first; });
    }
    std::erase_if(logs, [&first](const LogFile& log) { return log.number < *first; });
    trouble = Judgement(database, std::move(logs), state).trouble();
  }
  // A power cut may have left it empty, or zeros.
  if (!state && note.find_first_not_of('\0') != std::string::npos) {
    trouble.remark = fmt::format("{} is damaged, which tells what was on the disk: the next server makes it anew",
                                 (folder / kSyncedFile).string());
  }
  return trouble;
}

Result<std::string> keep_logs(const fs::path& folder, const fs::path& database,
                              const std::vector<std::uint64_t>& logs) {
  const fs::path kept = folder / fmt::format("damaged-{:06}", logs.front());
  std::error_code code;
  fs::create_directory(kept, code);
  for (const std::uint64_t log : logs) {
    const fs::path copy = log_path(kept, log);
    if (!code) {
      fs::copy_file(log_path(database, log), copy, fs::copy_options::overwrite_existing, code);
    }
    if (code) {
      return fail_errno(code.value(), fmt::format("copying the damaged log to {}", copy.string()));
    }
    if (auto synced = sync_path(copy); !synced) {
      return tl::unexpected(synced.error());
    }
  }
  for (const fs::path& each : {kept, folder}) {
    if (auto synced = sync_path(each); !synced) {
      return tl::unexpected(synced.error());
    }
  }
  return kept.string();
}

}  // namespace dmmap::store
