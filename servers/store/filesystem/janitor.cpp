#include "servers/store/filesystem/janitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "servers/store/kv/view.h"
#include "servers/store/pages/file_pages.h"
#include "servers/store/tree/tree.h"

namespace dmmap::store {

namespace {

// Freed pages come with every write into what is shared: they're gone after in heaps.
constexpr auto kPause = std::chrono::milliseconds(500);

// RocksDB gives the room of what was removed back when it happens to put those files in order: it's made to where that
// is much, or where room is short.
constexpr std::uint64_t kMuch = 16384;       // pages
constexpr std::uint64_t kMuchInNeed = 1024;  // pages

}  // namespace

Result<std::unique_ptr<Janitor>> Janitor::start(Database& database, const DiskSpace& space, LogSink log) {
  std::unique_ptr<Janitor> janitor(new Janitor(database, space, std::move(log)));
  const View view(database);
  FileId last;
  while (true) {
    const auto next = next_orphan(view, last);
    if (!next) {
      return tl::unexpected(next.error());
    }
    if (!*next) {
      break;
    }
    last = **next;
    janitor->orphans_.push_back(last);
  }
  janitor->thread_ = std::thread([raw = janitor.get()] { raw->work(); });
  return janitor;
}

Janitor::~Janitor() {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Janitor::remove(FileId file) {
  {
    const std::lock_guard guard(lock_);
    orphans_.push_back(file);
  }
  changed_.notify_all();
}

void Janitor::freed() {
  freed_ = true;
}

bool Janitor::ending() {
  const std::lock_guard guard(lock_);
  return ending_;
}

void Janitor::complain(const std::string& what, const Error& error) const {
  log_(LogLevel::error, fmt::format("{}: {}; the next start tries it again", what, error.message));
}

bool Janitor::removed(FileId file, std::vector<FileId>& orphaned) {
  while (!ending()) {
    const auto more = remove_orphan(database_, file);
    if (!more && more.error().code == ENOENT) {
      return true;  // told of twice: the kernel forgot it again after the server had opened it itself
    }
    if (!more) {
      complain(fmt::format("removing file {}", file.value), more.error());
      return false;
    }
    orphaned.insert(orphaned.end(), more->orphaned.begin(), more->orphaned.end());
    if (!more->more) {
      return true;
    }
  }
  return false;
}

void Janitor::reap() {
  while (!ending()) {
    const auto reaped = reap_pages(database_);
    if (!reaped) {
      complain("removing the bytes of freed pages", reaped.error());
    }
    if (!reaped || reaped->count == 0) {
      return;
    }
    const PageRange pages = reaped->between;
    const std::uint64_t first = reaped_.count == 0 ? pages.first : std::min(reaped_.between.first, pages.first);
    const std::uint64_t end = std::max(reaped_.between.first + reaped_.between.count, pages.first + pages.count);
    reaped_ = {{first, end - first}, reaped_.count + reaped->count};
  }
}

void Janitor::give_back_what_is_worth_it() {
  const bool tight = space_.room() != DiskSpace::Room::all;
  if (reaped_.count < (tight ? kMuchInNeed : kMuch)) {
    return;
  }
  if (const auto given = give_room_back(database_, reaped_.between, tight); !given) {
    complain("giving room back", given.error());
  }
  reaped_ = {};
}

void Janitor::work() {
  using Clock = std::chrono::steady_clock;
  auto next_time = Clock::now() + kPause;
  while (true) {
    std::vector<FileId> orphans;
    {
      std::unique_lock guard(lock_);
      changed_.wait_until(guard, next_time, [this] { return ending_ || !orphans_.empty(); });
      if (ending_) {
        return;
      }
      orphans.swap(orphans_);
    }
    while (!orphans.empty() && !ending()) {
      const FileId file = orphans.back();
      orphans.pop_back();
      if (removed(file, orphans)) {
        freed();
      }
    }
    // Not for each file: it begins with a pass over what it removed lately.
    if (Clock::now() >= next_time) {
      if (freed_.exchange(false)) {
        reap();
      }
      give_back_what_is_worth_it();
      next_time = Clock::now() + kPause;
    }
  }
}

}  // namespace dmmap::store
