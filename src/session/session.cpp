#include <dmmap/session.h>

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <thread>

#include "session/connection_impl.h"
#include "session/core.h"
#include "session/log.h"
#include "session/signals.h"
#include "transport/dev_cuse.h"
#include "transport/dev_fuse.h"
#include "transport/mount.h"
#include "transport/thread.h"
#include "transport/watcher.h"

namespace dmmap {

namespace session {

void log_to_stderr(LogLevel level, const std::string& text) {
  const char* name = level == LogLevel::error ? "error: " : (level == LogLevel::warning ? "warning: " : "");
  fmt::print(stderr, "dmmap: {}{}\n", name, text);
}

}  // namespace session

namespace {

constexpr std::uint32_t kLargestWrite = 1 << 20;
constexpr std::uint32_t kSmallestWrite = 4096;
constexpr unsigned kMostThreads = 64;

/// Fills in what isn't said. Errors: EINVAL.
Result<void> complete(SessionOptions& options) {
  if (!options.log) {
    options.log = session::log_to_stderr;
  }
  if (options.threads < 1 || options.threads > kMostThreads) {
    return fail(EINVAL, fmt::format("threads must be 1 to {}, not {}", kMostThreads, options.threads));
  }
  if (options.max_write < kSmallestWrite || options.max_write > kLargestWrite) {
    return fail(EINVAL, fmt::format("max_write must be {} to {} bytes, not {}", kSmallestWrite, kLargestWrite,
                                    options.max_write));
  }
  return {};
}

/// Before /dev/fuse or /dev/cuse is opened, so that the watcher can't hold it. None where the options say so.
Result<transport::Watcher> start_watcher(const SessionOptions& options) {
  return options.watcher ? transport::Watcher::start() : transport::Watcher();
}

}  // namespace

/// Invariant: once `supervisor_` runs, it alone ends the core, unmounts and dismisses the watcher.
class Session::Impl {
 public:
  Impl(transport::Watcher watcher, transport::Mounted mounted)
      : watcher_(std::move(watcher)), mounted_(std::move(mounted)) {}
  /// Of a character device of this name.
  Impl(transport::Watcher watcher, std::string device) : watcher_(std::move(watcher)), device_(std::move(device)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    stop();
    join();
  }

  /// Of the mount.
  Result<void> begin(Filesystem& filesystem, SessionOptions options) {
    auto transport = transport::DevFuse::create(std::move(mounted_.device));
    if (!transport) {
      unmount();
      return tl::unexpected(transport.error());
    }
    return begin(filesystem, std::move(options), std::move(*transport));
  }

  Result<void> begin(Filesystem& filesystem, SessionOptions options, std::unique_ptr<transport::Transport> transport) {
    grace_ = options.unmount_grace;
    core_ = std::make_shared<session::Core>(filesystem, std::move(options), std::move(transport));
    if (auto begun = core_->begin(); !begun) {
      core_->transport().close();
      unmount();
      return begun;
    }
    if (watcher_ && !device_.empty()) {
      if (auto told = watcher_.watch_device(device_); !told) {
        core_->transport().close();
        return told;
      }
    }
    core_->start();
    supervisor_ = start_thread("dmmap-session", [this] { supervise(); });
    return {};
  }

  void stop() {
    stop_.store(true);
    if (core_) {
      core_->wake();
    }
  }

  void join() {
    if (supervisor_.joinable()) {
      supervisor_.join();
    }
  }

  [[nodiscard]] Result<void> outcome() { return core_->outcome(); }
  [[nodiscard]] session::Core& core() { return *core_; }
  [[nodiscard]] const std::string& mountpoint() const { return mounted_.mountpoint; }

 private:
  // The mount's life after it has begun. A thread of its own, since unmounting can wait for requests.
  void supervise() {
    bool ended = false;
    while (!ended && !stop_.load()) {
      ended = core_->wait_ended(std::nullopt);
    }
    if (!ended && is_mount()) {
      // From here on nobody new comes in. The kernel goes on until the last file is closed: give that a while, since
      // what is dirty is written back now.
      watcher_.detached();
      unmount();
      const auto deadline = std::chrono::steady_clock::now() + grace_;
      while (!ended && std::chrono::steady_clock::now() < deadline) {
        ended = core_->wait_ended(deadline);
      }
      if (!ended) {
        transport::abort_connection(mounted_.connection);
      }
    }
    core_->finish();
    unmount();  // after an abort by someone else the mount is still there, dead
    watcher_.dismiss();
  }

  // A device goes with its transport, and what its clients have open gets errors.
  [[nodiscard]] bool is_mount() const { return !mounted_.mountpoint.empty(); }

  void unmount() {
    if (!is_mount()) {
      return;
    }
    if (auto done = transport::unmount(mounted_.mountpoint, mounted_.connection, mounted_.by_helper); !done && core_) {
      core_->log(LogLevel::error, done.error().message);
    }
  }

  transport::Watcher watcher_;
  transport::Mounted mounted_;
  std::string device_;
  std::chrono::milliseconds grace_{0};
  std::shared_ptr<session::Core> core_;
  std::atomic<bool> stop_{false};
  std::thread supervisor_;
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::mount(Filesystem& filesystem, SessionOptions options) {
  if (auto good = complete(options); !good) {
    return tl::unexpected(good.error());
  }
  auto watcher = start_watcher(options);
  if (!watcher) {
    return tl::unexpected(watcher.error());
  }
  auto mounted = transport::mount(options.mount);
  if (!mounted) {
    return tl::unexpected(mounted.error());
  }
  if (*watcher) {
    if (auto told = watcher->watch(mounted->mountpoint, mounted->connection, mounted->by_helper); !told) {
      static_cast<void>(transport::unmount(mounted->mountpoint, mounted->connection, mounted->by_helper));
      return tl::unexpected(told.error());
    }
  }
  options.mount.mountpoint = mounted->mountpoint;
  auto impl = std::make_unique<Impl>(std::move(*watcher), std::move(*mounted));
  if (auto begun = impl->begin(filesystem, std::move(options)); !begun) {
    return tl::unexpected(begun.error());
  }
  return Session(std::move(impl));
}

Result<Session> Session::device(Filesystem& filesystem, const CharacterDevice& device, SessionOptions options) {
  if (auto good = complete(options); !good) {
    return tl::unexpected(good.error());
  }
  auto watcher = start_watcher(options);
  if (!watcher) {
    return tl::unexpected(watcher.error());
  }
  auto transport = transport::DevCuse::open({device.name, device.major, device.minor, device.node});
  if (!transport) {
    return tl::unexpected(transport.error());
  }
  options.mount.mountpoint.clear();
  auto impl = std::make_unique<Impl>(std::move(*watcher), device.name);
  if (auto begun = impl->begin(filesystem, std::move(options), std::move(*transport)); !begun) {
    return begun.error().code != ENOTCONN
               ? tl::unexpected(begun.error())
               : fail(EEXIST, fmt::format("/dev/{} can't be made: its name or its number is another device's already; "
                                          "the kernel's log says which",
                                          device.name));
  }
  return Session(std::move(impl));
}

Result<void> Session::wait() {
  impl_->join();
  return impl_->outcome();
}

Result<void> Session::wait_or_signal(const std::function<void()>& on_hangup, const std::function<void()>& when_ready) {
  const auto watch = session::SignalWatch::create([this] { stop(); }, on_hangup);
  if (!watch) {
    return tl::unexpected(watch.error());
  }
  if (when_ready) {
    when_ready();
  }
  return wait();
}

void Session::stop() {
  impl_->stop();
}

Connection& Session::connection() {
  return impl_->core().connection();
}

const std::string& Session::mountpoint() const {
  return impl_->mountpoint();
}

}  // namespace dmmap
