#include "bench/store_subjects.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include "support/mounts.h"
#include "support/proc_status.h"

namespace dmmap::bench {

namespace {

using namespace std::chrono_literals;

bool is_fuse(const std::filesystem::path& path) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == FUSE_SUPER_MAGIC;
}

std::vector<std::string> command(StoreSubject::Kind kind, const std::filesystem::path& data,
                                 const std::filesystem::path& mountpoint) {
  if (kind == StoreSubject::Kind::store) {
    return {DMMAP_PROGRAM, "store", "--create", data.string(), mountpoint.string()};
  }
  std::filesystem::create_directory(data);
  // Its best: names and attributes are kept for as long as the store's, and pages too; the kernel caches what's
  // written.
  return {LIBFUSE_MIRROR, "-f", "-o", fmt::format("source={},writeback,cache=always,timeout=86400", data.string()),
          mountpoint.string()};
}

}  // namespace

StoreSubject::StoreSubject(Kind kind) : kind_(kind), path_(directory_.path() / "mnt") {
  std::filesystem::create_directory(path_);
  if (kind == Kind::folder) {
    return;
  }
  server_.emplace(command(kind, directory_.path() / "data", path_));
  const bool ended = !testing::wait_until([this] { return is_fuse(path_) || !server_->running(); }, 10s);
  if (ended || !server_->running()) {
    throw std::runtime_error("the server doesn't come up: " + server_->err());
  }
}

StoreSubject::~StoreSubject() {
  if (server_) {
    ::umount2(path_.c_str(), 0);
    server_->kill(SIGTERM);
    server_->wait(60s);
    ::umount2(path_.c_str(), MNT_DETACH);
  }
}

double StoreSubject::memory() const {
  return server_ ? 1024 * static_cast<double>(testing::proc_status(std::to_string(server_->pid()), "RssAnon:")) : 0;
}

std::string filesystem_of(const std::filesystem::path& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) {
    return "unknown";
  }
  switch (status.f_type) {
    case EXT4_SUPER_MAGIC:
      return "ext4";
    case XFS_SUPER_MAGIC:
      return "xfs";
    case BTRFS_SUPER_MAGIC:
      return "btrfs";
    case TMPFS_MAGIC:
      return "tmpfs";
    default:
      return fmt::format("{:#x}", status.f_type);
  }
}

void drop_caches() {
  ::sync();
  std::ofstream("/proc/sys/vm/drop_caches") << 3;
}

}  // namespace dmmap::bench
