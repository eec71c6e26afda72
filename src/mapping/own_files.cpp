#include "mapping/own_files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>

#include "mapping/random_number.h"
#include "session/serving.h"

namespace dmmap::mapping {

OwnFiles::OwnFiles()
    : prefix_(fmt::format(".dmmap-{:016x}{:016x}-", random_number(), random_number())),
      handle_{random_number() | kFirstLibraryId} {}

void OwnFiles::mounted(Connection& connection) {
  const MutexLock lock(lock_);
  connection_ = &connection;
}

void OwnFiles::unmounted() {
  MutexLock lock(lock_);
  connection_ = nullptr;
  while (uses_ > 0) {
    lock.wait(changed_);
  }
}

OwnFiles::Use::Use(OwnFiles& files) : files_(files) {
  const MutexLock lock(files_.lock_);
  connection_ = files_.connection_;
  files_.uses_ += connection_ != nullptr ? 1 : 0;
}

OwnFiles::Use::~Use() {
  if (connection_ != nullptr) {
    const MutexLock lock(files_.lock_);
    --files_.uses_;
    files_.changed_.notify_all();
  }
}

void OwnFiles::log(LogLevel level, const std::string& text) {
  if (const Use connection(*this); connection) {
    connection->log(level, text);
  }
}

Result<UniqueFd> OwnFiles::open(NodeId node, int access) {
  const Use connection(*this);
  if (!connection) {
    return fail(ENOTCONN, "the mount is gone");
  }
  const ThreadId self = this_thread();
  {
    const MutexLock lock(lock_);
    openings_[self] = {node, false};
  }
  const std::string name = fmt::format("{}{}", prefix_, node.value);
  Result<int> opened = fail(EDEADLK, fmt::format("opening node {}: too many threads wait already", node.value));
  {
    const session::WhileWaiting waiting;
    if (waiting.may_wait()) {
      opened = connection->open_in_root(name, access | O_CLOEXEC | O_NOFOLLOW);
    }
  }
  UniqueFd fd(opened.value_or(-1));
  bool ours = false;
  {
    const MutexLock lock(lock_);
    ours = openings_[self].opened;
    openings_.erase(self);
  }
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  if (!ours) {
    return fail(ENOTCONN, fmt::format("{} isn't our mount any more", connection->mountpoint()));
  }
  // The name would keep the node from being forgotten.
  connection->notifier().inval_entry(kRootNode, name);
  return fd;
}

std::optional<NodeId> OwnFiles::looked_up(const LookupRequest& request) const {
  if (request.node != kRootNode || !request.name.starts_with(prefix_)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const char* const end = request.name.data() + request.name.size();
  const auto parsed = std::from_chars(request.name.data() + prefix_.size(), end, number);
  const MutexLock lock(lock_);
  const auto opening = openings_.find(static_cast<ThreadId>(request.caller.pid));
  const bool ours = parsed.ec == std::errc() && parsed.ptr == end && opening != openings_.end() &&
                    opening->second.node.value == number;
  return ours ? std::optional(NodeId{number}) : std::nullopt;
}

bool OwnFiles::opened(const OpenRequest& request) {
  const MutexLock lock(lock_);
  const auto opening = openings_.find(static_cast<ThreadId>(request.caller.pid));
  if (opening == openings_.end() || opening->second.node != request.node || opening->second.opened) {
    return false;
  }
  opening->second.opened = true;
  return true;
}

}  // namespace dmmap::mapping
