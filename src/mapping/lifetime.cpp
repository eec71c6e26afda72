#include "mapping/lifetime.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "transport/thread.h"

namespace dmmap::mapping {

namespace {

std::string path_of(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

}  // namespace

Result<UseProbe> UseProbe::open(int memfd) {
  UniqueFd fd(::open(path_of(memfd).c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    return fail_errno(errno, "reopening a region's memory");
  }
  // Should somebody outside (through /proc) open it while the lease stands, the kernel sends a signal: one that is
  // ignored unless asked for, not SIGIO, which kills.
  ::fcntl(fd.get(), F_SETSIG, SIGURG);
  return UseProbe(std::move(fd));
}

bool UseProbe::in_use() const {
  if (::fcntl(fd_.get(), F_SETLEASE, F_WRLCK) != 0) {
    return true;
  }
  ::fcntl(fd_.get(), F_SETLEASE, F_UNLCK);
  return false;
}

LifetimeMonitor& LifetimeMonitor::instance() {
  static LifetimeMonitor monitor;
  return monitor;
}

LifetimeMonitor::LifetimeMonitor()
    : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = start_thread("dmmap-lifetime", [this] { run(); });
}

LifetimeMonitor::~LifetimeMonitor() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
}

Result<int> LifetimeMonitor::watch(int memfd, std::function<void()> changed) {
  // Held across both, so that the event of a close right now finds its callback.
  const MutexLock lock(lock_);
  const int number = ::inotify_add_watch(inotify_.get(), path_of(memfd).c_str(), IN_CLOSE);
  if (number < 0) {
    return fail(errno, fmt::format("watching a region's last mapping: {}: raise fs.inotify.max_user_watches or "
                                   "max_user_instances",
                                   std::strerror(errno)));
  }
  watches_[number] = std::move(changed);
  return number;
}

void LifetimeMonitor::unwatch(int number) {
  const MutexLock lock(lock_);
  if (watches_.erase(number) > 0) {
    ::inotify_rm_watch(inotify_.get(), number);
  }
}

void LifetimeMonitor::run() {
  alignas(inotify_event) std::array<char, 16384> events{};
  while (true) {
    std::array<pollfd, 2> wanted{{{inotify_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    ::poll(wanted.data(), wanted.size(), -1);
    if ((wanted[1].revents & POLLIN) != 0) {
      return;
    }
    const ssize_t got = ::read(inotify_.get(), events.data(), events.size());
    std::vector<std::function<void()>> due;
    {
      const MutexLock lock(lock_);
      for (ssize_t at = 0; at < got;) {
        inotify_event event{};
        std::memcpy(&event, events.data() + at, sizeof event);
        at += static_cast<ssize_t>(sizeof event + event.len);
        if ((event.mask & IN_Q_OVERFLOW) != 0) {  // some were lost: look at all
          for (const auto& [number, changed] : watches_) {
            due.push_back(changed);
          }
        } else if (const auto found = watches_.find(event.wd); found != watches_.end()) {
          due.push_back(found->second);
        }
      }
    }
    for (const auto& changed : due) {
      changed();
    }
  }
}

}  // namespace dmmap::mapping
