// Lifetime: tells when the last open file and the last mapping of a memfd have gone.
//
// RELEASE says when a client's open is over, nothing says when its last mapping is (DESIGN: passthrough mappings aren't
// told). Two things of the kernel together do: an inotify watch on the memfd fires when an open file of it, or a
// mapping, goes away (inotify(7), IN_CLOSE), by fork and SIGKILL too; events coalesce, so they only wake a check. The
// check is a write lease (fcntl(2), F_SETLEASE) on a descriptor reopened through /proc/self/fd, refused with EAGAIN
// while another open file of the inode exists, a mapping's included. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/error.h>
#include <dmmap/thread_safety.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>

#include "transport/unique_fd.h"

namespace dmmap::mapping {

/// Asks whether anybody else has a memfd open or mapped.
class UseProbe {
 public:
  UseProbe() = default;
  /// Reopens `memfd`, once: on memfd_create's own descriptor, which the kernel doesn't count as a writer, the answer
  /// would be inverted, and one reopened for each question would fire the watch when it's closed.
  [[nodiscard]] static Result<UseProbe> open(int memfd);
  /// REQUIRES: no open of the memfd is being granted meanwhile, or it may meet the lease for a moment.
  [[nodiscard]] bool in_use() const;

 private:
  explicit UseProbe(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// One thread of the process that waits for events on memfds.
class LifetimeMonitor {
 public:
  /// The process's one, started at the first call.
  static LifetimeMonitor& instance();
  LifetimeMonitor(const LifetimeMonitor&) = delete;
  LifetimeMonitor& operator=(const LifetimeMonitor&) = delete;
  ~LifetimeMonitor();

  /// Calls `changed`, from the monitor's thread, whenever an open file or a mapping of `memfd` went away. Returns the
  /// number to unwatch() with. Errors: ENOSPC (fs.inotify.max_user_watches), ENOMEM.
  [[nodiscard]] Result<int> watch(int memfd, std::function<void()> changed) DMMAP_EXCLUDES(lock_);
  /// `changed` may be running still, and isn't called any more after that.
  void unwatch(int number) DMMAP_EXCLUDES(lock_);

 private:
  LifetimeMonitor();
  void run() DMMAP_EXCLUDES(lock_);

  UniqueFd inotify_;
  UniqueFd stop_;
  Mutex lock_;
  std::unordered_map<int, std::function<void()>> watches_ DMMAP_GUARDED_BY(lock_);
  std::thread thread_;
};

}  // namespace dmmap::mapping
