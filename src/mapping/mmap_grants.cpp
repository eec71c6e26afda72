#include "mapping/mmap_grants.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <utility>

#include "mapping/random_number.h"
#include "protocol/map_protocol.h"

namespace dmmap::mapping {

namespace {

struct Name {
  MmapGrants::Token token{};
  std::size_t file = 0;
};

std::optional<Name> parse(std::string_view name) {
  constexpr std::string_view kPrefix = protocol::map::kGrantPrefix;
  constexpr std::size_t kHalf = protocol::map::kTokenDigits / 2;
  if (!name.starts_with(kPrefix) || name.size() < kPrefix.size() + 2 * kHalf + 2) {
    return std::nullopt;
  }
  name.remove_prefix(kPrefix.size());
  Name parsed;
  for (std::uint64_t& half : parsed.token) {
    const char* const end = name.data() + kHalf;
    const auto number = std::from_chars(name.data(), end, half, 16);
    if (number.ec != std::errc() || number.ptr != end) {
      return std::nullopt;
    }
    name.remove_prefix(kHalf);
  }
  const char* const end = name.data() + name.size();
  const auto number = std::from_chars(name.data() + 1, end, parsed.file);
  const bool canonical = name.front() == '-' && (name[1] != '0' || name.size() == 2);
  return canonical && number.ec == std::errc() && number.ptr == end ? std::optional(parsed) : std::nullopt;
}

// tgkill(2) with no signal only looks whether the thread is the process's. EPERM says that it is, and isn't ours.
bool is_thread_of(std::uint32_t thread, std::uint32_t process) {
  return thread == process || ::syscall(SYS_tgkill, process, thread, 0) == 0 || errno == EPERM;
}

}  // namespace

std::uint32_t process_of(std::uint32_t thread) {
  if (thread == 0) {
    return 0;
  }
  if (::syscall(SYS_tgkill, thread, thread, 0) == 0 || errno == EPERM) {
    return thread;  // the first thread of its process
  }
  std::ifstream status(fmt::format("/proc/{}/status", thread));
  constexpr std::string_view kField = "Tgid:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kField)) {
      return static_cast<std::uint32_t>(std::strtoul(line.c_str() + kField.size(), nullptr, 10));
    }
  }
  return 0;
}

MmapGrants::Token MmapGrants::add(const MapRequest& request, const Grant& grant,
                                  const std::vector<std::shared_ptr<Region>>& regions, bool writable, Ended& ended) {
  const auto entry = std::make_shared<Entry>();
  entry->request = request;
  entry->grant = grant;
  entry->token = {random_number(), random_number()};
  const MutexLock lock(lock_);
  if (by_asker_.count(request.caller.pid) >= kMostWaitingOfThread) {
    const auto [first, last] = by_asker_.equal_range(request.caller.pid);
    const auto oldest =
        std::min_element(first, last, [](const auto& a, const auto& b) { return a.second->serial < b.second->serial; });
    const EntryPointer given_up = oldest->second;
    finish(given_up, ended);
  }
  if (waiting_.size() >= kMostWaiting) {
    const EntryPointer oldest = waiting_.begin()->second;
    finish(oldest, ended);
  }
  entry->serial = next_++;
  for (const auto& region : regions) {
    const std::uint64_t number = next_file_++;
    by_handle_[HandleId{number}] = {entry, entry->files.size()};
    entry->files.push_back({.file = {NodeId{number}, HandleId{number}, region, writable, request.handle}, .shown = {}});
  }
  waiting_[entry->serial] = entry;
  by_token_[entry->token] = entry;
  by_asker_.emplace(request.caller.pid, entry);
  ++asked_[request.handle].grants;
  return entry->token;
}

std::optional<MmapGrants::File> MmapGrants::find(std::string_view name, const Caller& caller) const {
  const auto parsed = parse(name);
  if (!parsed) {
    return std::nullopt;
  }
  const MutexLock lock(lock_);
  const auto found = by_token_.find(parsed->token);
  if (found == by_token_.end() || parsed->file >= found->second->files.size() ||
      !is_thread_of(caller.pid, found->second->request.process)) {
    return std::nullopt;
  }
  const FileEntry& entry = found->second->files[parsed->file];
  return entry.state == State::waiting ? std::optional(entry.file) : std::nullopt;
}

MmapGrants::FileEntry* MmapGrants::find_file(HandleId handle) {
  const auto found = by_handle_.find(handle);
  return found == by_handle_.end() ? nullptr : &found->second.entry->files[found->second.file];
}

void MmapGrants::named(HandleId handle, NodeId node, const Caller& caller) {
  const MutexLock lock(lock_);
  if (FileEntry* const entry = find_file(handle); entry != nullptr && entry->state == State::waiting) {
    entry->shown = node;
    naming_[caller.pid] = handle;
  }
}

std::optional<MmapGrants::File> MmapGrants::opened(NodeId node, const Caller& caller) {
  const MutexLock lock(lock_);
  const auto naming = naming_.find(caller.pid);
  if (naming == naming_.end()) {
    return std::nullopt;
  }
  const auto found = by_handle_.find(naming->second);
  if (found == by_handle_.end()) {
    return std::nullopt;
  }
  FileEntry& entry = found->second.entry->files[found->second.file];
  if (entry.state != State::waiting || entry.shown != node) {
    return std::nullopt;
  }
  naming_.erase(naming);
  entry.state = State::open;
  no_longer_waits(*found->second.entry);
  return entry.file;
}

void MmapGrants::no_longer_waits(Entry& entry) {
  if (std::exchange(entry.waiting, false)) {
    waiting_.erase(entry.serial);
    const auto [first, last] = by_asker_.equal_range(entry.request.caller.pid);
    const auto mine = std::find_if(first, last, [&](const auto& each) { return each.second.get() == &entry; });
    if (mine != last) {
      by_asker_.erase(mine);
    }
  }
}

void MmapGrants::closed(HandleId handle, Ended& ended) {
  const MutexLock lock(lock_);
  const auto found = by_handle_.find(handle);
  if (found == by_handle_.end()) {
    return;
  }
  const Place place = found->second;
  place.entry->files[place.file].state = State::closed;
  finish_if_closed(place.entry, ended);
}

void MmapGrants::finish_if_closed(const EntryPointer& entry, Ended& ended) {
  const bool open = std::any_of(entry->files.begin(), entry->files.end(),
                                [](const FileEntry& each) { return each.state == State::open; });
  if (!open) {
    finish(entry, ended);
  }
}

// `entry` must be the caller's own reference: those of the tables go.
void MmapGrants::finish(const EntryPointer& entry, Ended& ended) {
  no_longer_waits(*entry);
  by_token_.erase(entry->token);
  for (std::size_t file = 0; file < entry->files.size(); ++file) {
    const FileEntry& each = entry->files[file];
    if (each.shown != NodeId{}) {
      ended.names.push_back(
          fmt::format("{}{:016x}{:016x}-{}", protocol::map::kGrantPrefix, entry->token[0], entry->token[1], file));
    }
    by_handle_.erase(each.file.handle);
    std::erase_if(naming_, [&](const auto& naming) { return naming.second == each.file.handle; });
  }
  ended.over.push_back({entry->request, entry->grant});
  one_less(entry->request.handle, ended);
}

void MmapGrants::one_less(HandleId asked_about, Ended& ended) {
  const auto asked = asked_.find(asked_about);
  if (--asked->second.grants == 0) {
    if (asked->second.release) {
      ended.releases.push_back(*asked->second.release);
    }
    asked_.erase(asked);
  }
}

void MmapGrants::hold(HandleId asked_about) {
  const MutexLock lock(lock_);
  ++asked_[asked_about].grants;
}

void MmapGrants::let_go(HandleId asked_about, Ended& ended) {
  const MutexLock lock(lock_);
  one_less(asked_about, ended);
}

bool MmapGrants::hold_back(const ReleaseRequest& request, Ended& ended) {
  const MutexLock lock(lock_);
  const auto asked = asked_.find(request.handle);
  if (asked == asked_.end()) {
    return false;
  }
  asked->second.release = request;
  std::vector<EntryPointer> given_up;
  for (const auto& [serial, entry] : waiting_) {
    if (entry->request.handle == request.handle) {
      given_up.push_back(entry);
    }
  }
  for (const EntryPointer& entry : given_up) {
    finish(entry, ended);
  }
  return true;  // if those were all, `ended` has the release
}

void MmapGrants::end_all(Ended& ended) {
  const MutexLock lock(lock_);
  while (!by_token_.empty()) {
    const EntryPointer entry = by_token_.begin()->second;
    finish(entry, ended);
  }
}

std::vector<MmapGrants::Held> MmapGrants::held() const {
  const MutexLock lock(lock_);
  std::vector<Held> all;
  for (const auto& [token, entry] : by_token_) {
    const MapRequest& request = entry->request;
    std::vector<Piece> pieces = entry->grant.pieces;
    if (pieces.empty()) {
      pieces.push_back({entry->grant.region, entry->grant.offset, request.length.value_or(0)});
    }
    for (const Piece& piece : pieces) {
      const auto file = std::find_if(entry->files.begin(), entry->files.end(), [&](const FileEntry& each) {
        return each.file.region == piece.region && each.state == State::open;
      });
      if (file != entry->files.end()) {
        all.push_back({piece.region,
                       {MapMoment::mmap, request.process, file->shown, piece.offset, piece.length, file->file.writable,
                        request.prot, Tier::preload}});
      }
    }
  }
  return all;
}

}  // namespace dmmap::mapping
