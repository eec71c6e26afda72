#include "servers/store/filesystem/disk_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace dmmap::store {

namespace {

// What RocksDB may need at once: its log and its tables in memory, written out (kv/database.cpp), and a blob file that
// is written anew. Half of it is for writebacks.
constexpr std::uint64_t kMostKept = 512U << 20U;  // bytes
constexpr std::uint64_t kShareKept = 4;           // of a small disk, the fourth part

std::uint64_t bytes_of(const struct statvfs& status, std::uint64_t blocks) {
  return blocks * (status.f_frsize != 0 ? status.f_frsize : status.f_bsize);
}

}  // namespace

Result<DiskSpace> DiskSpace::of(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) {
    return fail_errno(errno, fmt::format("looking at the disk of {}", folder));
  }
  DiskSpace space(folder);
  space.kept_ = std::min(kMostKept, bytes_of(status, status.f_blocks) / kShareKept);
  return space;
}

std::uint64_t DiskSpace::free() const {
  struct statvfs status {};
  // Who can't tell lets RocksDB find out.
  return ::statvfs(folder_.c_str(), &status) == 0 ? bytes_of(status, status.f_bavail)
                                                  : std::numeric_limits<std::uint64_t>::max();
}

DiskSpace::Room DiskSpace::room() const {
  const std::uint64_t now = free();
  if (now >= kept_) {
    return Room::all;
  }
  if (now >= kept_ / 2) {
    return Room::writeback;
  }
  return now >= kept_ / 4 ? Room::replacing : Room::removing;
}

bool DiskSpace::has(std::uint64_t bytes) const {
  const std::uint64_t now = free();
  return now >= kept_ && bytes <= now - kept_;
}

struct statvfs DiskSpace::status() const {
  struct statvfs status {};
  if (::statvfs(folder_.c_str(), &status) != 0 || status.f_frsize == 0) {
    return status;
  }
  const std::uint64_t kept = kept_ / status.f_frsize;
  status.f_bfree -= std::min<std::uint64_t>(status.f_bfree, kept);
  status.f_bavail -= std::min<std::uint64_t>(status.f_bavail, kept);
  return status;
}

}  // namespace dmmap::store
