#include "servers/store/kv/synced_mark.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/transaction_log.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "servers/store/kv/database_files.h"

namespace dmmap::store {

namespace {

constexpr std::chrono::milliseconds kPause{100};  // between two notes in the file

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<std::atomic<bool>> changed) : changed_(std::move(changed)) {}
  [[nodiscard]] const char* Name() const override { return "dmmap"; }
  void OnMemTableSealed(const rocksdb::MemTableInfo& /*info*/) override { *changed_ = true; }  // and has a new log
  void OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& /*info*/) override { *changed_ = true; }
  void OnCompactionCompleted(rocksdb::DB* /*db*/, const rocksdb::CompactionJobInfo& /*info*/) override {
    *changed_ = true;
  }

 private:
  const std::shared_ptr<std::atomic<bool>> changed_;
};

// RocksDB knows no more of its size than it has synced (db/version_set.cc, ProcessManifestWrites).
FilePosition manifest_of(rocksdb::DB& db) {
  std::vector<std::string> files;
  FilePosition manifest;
  if (!db.GetLiveFiles(files, &manifest.bytes, /*flush_memtable=*/false).ok()) {
    return {};
  }
  for (const std::string& file : files) {
    if (const auto number = manifest_number(std::string_view(file).substr(file.starts_with('/') ? 1 : 0))) {
      manifest.number = *number;
    }
  }
  return manifest;
}

}  // namespace

std::shared_ptr<rocksdb::EventListener> FilesChanged::listener() const {
  return std::make_shared<Listener>(changed_);
}

SyncedMark::SyncedMark(std::filesystem::path folder, rocksdb::DB& db, FilesChanged changed)
    : folder_(std::move(folder)), db_(db), changed_(std::move(changed)) {
  if (!db_.GetDbIdentity(identity_).ok()) {
    identity_.clear();
  }
  fd_ = ::open((folder_ / kSyncedFile).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const Moment now = look();
  state_.sequence = state_.first_sequence = in_log_ = now.sequence;
  state_.first_log = now.logs.empty() ? 0 : now.logs.back().number;
  state_.manifest = now.manifest;
  state_.logs = now.logs;
  write(state_);
  writer_ = std::thread(&SyncedMark::keep_writing, this);
}

SyncedMark::~SyncedMark() {
  {
    const std::lock_guard lock(mutex_);
    state_.manifest = manifest_of(db_);  // RocksDB syncs it by itself
    fresh_ = ending_ = true;
  }
  wake_.notify_one();
  writer_.join();
  if (fd_ >= 0) {
    ::fsync(fd_);  // so that it's good after a power cut too, once the server has ended
    ::close(fd_);
  }
}

SyncedMark::Moment SyncedMark::look() {
  Moment moment;
  const bool changed = changed_.is_set();
  changed_.clear();
  // In this order: what has its number is in the log, and what is in the log is in it up to that size.
  moment.sequence = db_.GetLatestSequenceNumber();
  std::unique_ptr<rocksdb::LogFile> log;
  const bool known = db_.GetCurrentWalFile(&log).ok();
  const std::lock_guard lock(mutex_);
  looked_ = std::chrono::steady_clock::now();
  if (changed) {
    manifest_ = manifest_of(db_);
  }
  moment.manifest = manifest_;
  if (known) {
    const FilePosition now{log->LogNumber(), log->SizeFileBytes()};
    moment.logs = state_.logs;
    if (moment.logs.empty() || moment.logs.back().number != now.number) {
      // Others don't grow any more.
      moment.logs = logs_in(folder_ / kDatabaseFolder);
      std::erase_if(moment.logs, [&now](const FilePosition& each) { return each.number >= now.number; });
      moment.logs.push_back(now);
    }
    moment.logs.back() = now;
  }
  return moment;
}

SyncedMark::Moment SyncedMark::before_sync() {
  bool due = changed_.is_set();
  if (!due) {
    const std::lock_guard lock(mutex_);
    due = std::chrono::steady_clock::now() - looked_ > kPause;
  }
  if (due) {
    return look();
  }
  Moment moment;
  moment.sequence = db_.GetLatestSequenceNumber();
  return moment;
}

void SyncedMark::synced(const Moment& moment) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    // Another sync may have begun later and ended before.
    const bool newer = !moment.logs.empty() &&
                       (state_.logs.empty() || moment.logs.back().number >= state_.logs.back().number) &&
                       (moment.logs != state_.logs || moment.manifest != state_.manifest);
    if (moment.sequence <= state_.sequence && !newer) {
      return;
    }
    state_.sequence = std::max(state_.sequence, moment.sequence);
    if (newer) {
      state_.manifest = moment.manifest;
      state_.logs = moment.logs;
    }
    wake = !fresh_;
    fresh_ = true;
  }
  if (wake) {
    wake_.notify_one();
  }
}

void SyncedMark::keep_writing() {
  std::unique_lock lock(mutex_);
  while (!ending_ || fresh_) {
    wake_.wait(lock, [this] { return fresh_ || ending_; });
    wake_.wait_for(lock, kPause, [this] { return ending_; });
    if (fresh_) {
      const SyncedState state = state_;
      fresh_ = false;
      lock.unlock();
      write(state);
      lock.lock();
    }
  }
}

void SyncedMark::write(const SyncedState& state) const {
  if (fd_ >= 0) {
    const std::string text = text_of(state);
    [[maybe_unused]] const ssize_t written = ::pwrite(fd_, text.data(), text.size(), 0);
  }
}

std::optional<std::string> SyncedMark::note_for_log() {
  const std::lock_guard lock(mutex_);
  to_log_ = state_.sequence;
  return to_log_ > in_log_ ? std::optional(log_note(to_log_, identity_)) : std::nullopt;
}

void SyncedMark::noted() {
  const std::lock_guard lock(mutex_);
  in_log_ = to_log_;
}

}  // namespace dmmap::store
