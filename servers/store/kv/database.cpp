#include "servers/store/kv/database.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "servers/store/kv/database_files.h"
#include "servers/store/kv/log_check.h"
#include "servers/store/kv/log_filter.h"
#include "servers/store/kv/synced_mark.h"

namespace dmmap::store {

namespace {

namespace fs = std::filesystem;

constexpr unsigned kFormat = 1;
constexpr const char* kFormatFile = "format";

rocksdb::DBOptions database_options(const DatabaseOptions& options) {
  rocksdb::DBOptions database;
  database.create_if_missing = options.create;
  database.create_missing_column_families = options.create;
  database.paranoid_checks = true;
  database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;  // a power cut may tear the log's end
  database.db_write_buffer_size = options.cache_bytes;
  database.max_total_wal_size = 4 * options.cache_bytes;
  database.max_open_files = 512;
  database.advise_random_on_open = false;  // a file that was written in order lies in order
  database.bytes_per_sync = 1U << 20U;
  database.keep_log_file_num = 2;
  database.max_log_file_size = 1U << 20U;
  return database;
}

rocksdb::ColumnFamilyOptions table_options(Table table, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = 16U << 20U;
  family.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_cache = cache;
  blocks.cache_index_and_filter_blocks = true;  // so that the cache bounds all that is kept of files
  // Most names that are looked for first aren't there. In parts: the filter of a file as a whole would be larger than
  // what a shard of the cache takes, and be read again each time.
  blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  blocks.partition_filters = true;
  blocks.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  if (table == Table::pages) {
    // Pages are written once, not again at each compaction; what is freed is collected by file.
    family.enable_blob_files = true;
    family.min_blob_size = 512;
    family.enable_blob_garbage_collection = true;
  }
  return family;
}

Result<void> check_format(const fs::path& file) {
  std::ifstream in(file);
  unsigned version = 0;
  if (!(in >> version)) {
    return fail(EIO, fmt::format("{} doesn't say the store's format: it's damaged, or no store's", file.string()));
  }
  if (version > kFormat) {
    return fail(ENOTSUP, fmt::format("{} is of format {}, and this dmmap knows formats up to {}: use a newer one",
                                     file.parent_path().string(), version, kFormat));
  }
  return {};
}

// Last, when all else is there, and whole or not at all, also after a power cut: the file's name may get to the disk
// before its bytes.
Result<void> write_format(const fs::path& file) {
  const fs::path fresh = file.string() + ".new";
  {
    std::ofstream out(fresh);
    out << kFormat << "\n";
    if (!out.flush()) {
      return fail(EIO, fmt::format("{} can't be written", fresh.string()));
    }
  }
  if (auto synced = sync_path(fresh); !synced) {
    return synced;
  }
  std::error_code code;
  fs::rename(fresh, file, code);
  if (code) {
    return fail_errno(code.value(), fmt::format("making {}", file.string()));
  }
  const fs::path folder = fs::absolute(file).parent_path();
  auto synced = sync_path(folder);
  return synced ? sync_path(folder.parent_path()) : synced;
}

// Whether there's a store; false where one is to be made. Errors: as Database::open.
Result<bool> look_for_store(const fs::path& folder, const DatabaseOptions& options) {
  std::error_code code;
  if (fs::exists(folder / kFormatFile, code)) {
    const auto good = check_format(folder / kFormatFile);
    return good ? Result<bool>(true) : tl::unexpected(good.error());
  }
  if (!options.create || options.read_only) {
    return fail(ENOENT, fmt::format("there's no store in {}", folder.string()));
  }
  // One whose making was cut short is made anew.
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename();
    if (name != kDatabaseFolder && name != std::string(kFormatFile) + ".new") {
      return fail(ENOTEMPTY, fmt::format("{} has other things in it, such as {}: name an empty folder, or one to make",
                                         folder.string(), name));
    }
  }
  fs::create_directories(folder, code);
  if (!fs::is_directory(folder)) {
    return fail_errno(code ? code.value() : ENOTDIR, fmt::format("making {}", folder.string()));
  }
  fs::permissions(folder, fs::perms::owner_all, code);  // the files of all who use the mount are in it
  return false;
}

}  // namespace

Result<void> result_of(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) {
    return {};
  }
  int code = EIO;
  if (status.IsNoSpace()) {
    code = ENOSPC;
  } else if (status.IsMemoryLimit()) {
    code = ENOMEM;
  }
  return fail(code, fmt::format("{}: {}", what, status.ToString()));
}

Result<bool> was_there(const rocksdb::Status& status) {
  return status.IsNotFound() ? Result<bool>(false) : result_of(status, "reading the store").map([] { return true; });
}

Result<std::unique_ptr<Database>> Database::open(const std::string& folder, const DatabaseOptions& options) {
  const auto found = look_for_store(folder, options);
  if (!found) {
    return tl::unexpected(found.error());
  }
  std::unique_ptr<Database> database(new Database());
  DatabaseOptions chosen = options;
  chosen.create = !*found;
  if (*found) {
    if (auto checked = database->check_logs_of(folder, options); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  if (auto opened = database->open_tables((fs::path(folder) / kDatabaseFolder).string(), chosen); !opened) {
    Error error = opened.error();
    if (!database->remarks_.empty()) {  // which may be why
      error.message = fmt::format("{}; {}", fmt::join(database->remarks_, "; "), error.message);
    }
    return tl::unexpected(error);
  }
  if (chosen.create) {
    if (auto made = write_format(fs::path(folder) / kFormatFile); !made) {
      return tl::unexpected(made.error());
    }
  }
  if (!options.read_only) {
    database->mark_ = std::make_unique<SyncedMark>(folder, *database->db_, *database->changed_);
  }
  return database;
}

Result<void> Database::check_logs_of(const std::string& folder, const DatabaseOptions& options) {
  const fs::path database = fs::path(folder) / kDatabaseFolder;
  const auto trouble = check_logs(folder, database);
  if (!trouble) {
    return tl::unexpected(trouble.error());
  }
  if (!trouble->remark.empty()) {
    remarks_.push_back(trouble->remark);
  }
  remarks_.insert(remarks_.end(), trouble->losses.begin(), trouble->losses.end());
  if (trouble->losses.empty()) {
    return {};
  }
  const std::string all = fmt::format("{}", fmt::join(trouble->losses, "; "));
  if (!trouble->acceptable) {
    return fail(EIO, fmt::format("{}: restore the store from a backup", all));
  }
  if (!options.accept_loss) {
    return fail(EUCLEAN, fmt::format("{}: nothing was changed; restore the store from a backup", all));
  }
  if (!options.read_only && !trouble->logs.empty()) {
    const auto kept = keep_logs(folder, database, trouble->logs);
    if (!kept) {
      return tl::unexpected(kept.error());
    }
    remarks_.push_back(fmt::format("what was changed from there on is dropped; {} has a copy of the log", *kept));
  }
  return {};
}

Result<void> Database::open_tables(const std::string& folder, const DatabaseOptions& options) {
  const auto cache = rocksdb::NewLRUCache(options.cache_bytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::size_t each = 0; each < kTableNames.size(); ++each) {
    families.emplace_back(std::string(kTableNames[each]), table_options(static_cast<Table>(each), cache));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::DBOptions settings = database_options(options);
  settings.wal_filter = filter_.get();
  settings.listeners.push_back(changed_->listener());
  const rocksdb::Status status = options.read_only
                                     ? rocksdb::DB::OpenForReadOnly(settings, folder, families, &handles, &db)
                                     : rocksdb::DB::Open(settings, folder, families, &handles, &db);
  if (!status.ok()) {
    // RocksDB has no code for this (env/fs_posix.cc, LockFile).
    const std::string text = status.ToString();
    if (text.find("/LOCK: ") != std::string::npos || text.find("lock hold by current process") != std::string::npos) {
      return fail(EBUSY, fmt::format("{} is in use by another process, or can't be locked: {}", folder, text));
    }
    return broken_database(status, folder);
  }
  db_.reset(db);
  std::copy(handles.begin(), handles.end(), tables_.begin());
  return {};
}

Database::Database() : filter_(std::make_unique<LogFilter>()), changed_(std::make_unique<FilesChanged>()) {}

Database::~Database() {
  mark_.reset();
  if (db_) {
    for (rocksdb::ColumnFamilyHandle* const each : tables_) {
      db_->DestroyColumnFamilyHandle(each);
    }
  }
}

Result<void> Database::sync() {
  const auto moment = mark_ ? mark_->before_sync() : SyncedMark::Moment();
  auto synced = result_of(db_->FlushWAL(true), "syncing the store");
  if (synced && mark_) {
    mark_->synced(moment);
  }
  return synced;
}

Result<void> Database::flush() {
  const std::vector<rocksdb::ColumnFamilyHandle*> all(tables_.begin(), tables_.end());
  return result_of(db_->Flush(rocksdb::FlushOptions(), all), "flushing the store");
}

}  // namespace dmmap::store
