#include "model/served_store.h"

#include <dmmap/connection.h>

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>

#include "servers/store/content/content.h"
#include "servers/store/kv/view.h"
#include "servers/store/pages/page_check.h"
#include "servers/store/tree/tree_check.h"
#include "support/mounts.h"

namespace dmmap::testing {

namespace {

constexpr std::chrono::seconds kPatience{60};

template <class T>
T good(Result<T> result, const char* what) {
  if (!result) {
    throw std::runtime_error(fmt::format("{}: {}", what, result.error().message));
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  }
}

// Returns how many pages are shared.
std::uint64_t check(const store::Reader& reader) {
  std::string all;
  const auto complain = [&all](const std::string& text) { all += text + "; "; };
  good(store::check_tree(reader, complain), "check_tree");
  const store::PageCounts pages = good(store::check_pages(reader, complain), "check_pages");
  if (!all.empty()) {
    throw std::runtime_error("the store is damaged: " + all);
  }
  return pages.shared;
}

}  // namespace

ServedStore::ServedStore() {
  std::filesystem::create_directory(mountpoint());
}

LogSink ServedStore::log() const {
  return [complaints = complaints_](LogLevel level, const std::string& text) {
    if (level == LogLevel::error) {
      const std::lock_guard lock(complaints->lock);
      complaints->text += text + "; ";
    }
  };
}

void ServedStore::throw_complaints() const {
  const std::lock_guard lock(complaints_->lock);
  if (!complaints_->text.empty()) {
    throw std::runtime_error("the server complains: " + complaints_->text);
  }
}

std::uint64_t ServedStore::start() {
  const std::string folder = directory_ / "store";
  if (!database_) {
    database_ = good(store::Database::open(folder, {.create = true}), "opening the store");
  }
  filesystem_ = good(store::StoreFilesystem::over(*database_, folder, log()), "starting the store");
  const std::uint64_t shared = check(store::View(*database_));
  // As `dmmap store` has it.
  SessionOptions options;
  options.mount.mountpoint = mountpoint();
  options.threads = 2;
  options.writeback_cache = true;
  options.readdirplus = true;
  options.log = log();
  session_ = good(Session::mount(*filesystem_, std::move(options)), "mounting");
  return shared;
}

void ServedStore::stop(bool wholly) {
  session_->stop();
  good(session_->wait(), "unmounting");
  session_.reset();
  filesystem_.reset();
  if (wholly) {
    good(database_->sync(), "syncing the store");
    database_.reset();
  }
  throw_complaints();
}

void ServedStore::finish(const Completion& notification, const char* what) const {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!notification.ready()) {
    if (std::chrono::steady_clock::now() > end) {
      abort();
      throw std::runtime_error(fmt::format("{} hangs", what));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  // The kernel need not know of what is told.
  if (const auto done = notification.wait(); !done && done.error().code != ENOENT) {
    throw std::runtime_error(fmt::format("{}: {}", what, done.error().message));
  }
}

void ServedStore::take_back(std::uint64_t node, std::uint64_t offset, std::uint64_t length) {
  finish(session_->connection().notifier().inval_inode(NodeId{node}, static_cast<std::int64_t>(offset),
                                                       static_cast<std::int64_t>(length)),
         "taking pages back");
}

void ServedStore::forget(std::uint64_t node, const std::string& name) {
  Notifier& notifier = session_->connection().notifier();
  finish(notifier.inval_inode(NodeId{node}, -1, 0), "having attributes forgotten");
  finish(notifier.inval_entry(NodeId{store::kRootFile.value}, name), "having a name forgotten");
}

std::string ServedStore::bytes(std::uint64_t node) const {
  const store::View view(*database_);
  store::Inode inode = good(store::get_inode(view, store::FileId{node}), "looking for a file in the store");
  std::string all(inode.size, '\0');
  good(store::Content(inode).read(view, 0, std::as_writable_bytes(std::span(all))), "reading in the store");
  return all;
}

void ServedStore::abort() const {
  if (const auto connection = fuse_connection_of(mountpoint())) {
    abort_connection(*connection);
  }
}

}  // namespace dmmap::testing
