// Session: one mount and the threads that serve it.
//
// Promises: mount() returns when the kernel and the server have agreed (INIT) and requests are being served. However
// the session ends (stop(), a signal, umount(8) by someone else, the destructor) the mount is gone, the threads are
// joined and no client waits. If the process dies in any way, a watcher process aborts the connection and unmounts.
// Thread safety: stop() from anywhere, a signal handler excepted; the rest from one thread.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>
#include <dmmap/filesystem.h>
#include <dmmap/log.h>
#include <dmmap/mount.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dmmap {

/// How to serve.
struct SessionOptions {
  MountOptions mount;
  unsigned threads = 1;                        ///< readers of requests, 1 to 64; more are rarely faster (docs/)
  std::uint32_t max_write = 1 << 20;           ///< bytes in one request, 4096 to 1 MiB
  std::optional<std::uint32_t> max_readahead;  ///< bytes the kernel may read ahead; absent: as it likes; 0: not at all
  bool explicit_inval_data = false;  ///< a changed mtime drops no cached pages: for servers that do it by region calls
  bool writeback_cache = false;      ///< the kernel keeps dirty pages, and judges size and mtime
  bool direct_io_allow_mmap =
      false;                 ///< a direct_io file without a grant may be mapped MAP_SHARED, through the page cache
  std::optional<Tier> tier;  ///< only ask the server there; absent: wherever the client's side can
  bool readdirplus = false;  ///< the server implements it: the kernel asks it instead of readdir, and takes no ENOSYS
  bool watcher = true;       ///< leave it on, but in tests of what happens without it
  std::chrono::milliseconds unmount_grace{2000};  ///< how long a busy mount may go on after stop()
  LogSink log;                                    ///< default: stderr
  std::function<void(const std::string&)> trace;  ///< each request and reply as a line; absent: no tracing
};

/// A device node that CUSE makes.
struct CharacterDevice {
  std::string name;         ///< below /dev; letters, digits, '_', '-' and '.', up to 63
  NodeId node;              ///< what the file system is to know it as (DeviceFilesystem::node_of)
  std::uint32_t major = 0;  ///< with 0 the kernel chooses the number
  std::uint32_t minor = 0;
};

/// A mount, or a device, being served. Move-only.
class Session {
 public:
  /// Mounts `filesystem`, which must outlive the session, and serves it.
  /// Errors, each saying what to do: ENOENT, ENOTDIR, EBUSY (already a mount point of dmmap), ENOTCONN (a stale mount
  /// is there), ENODEV (no /dev/fuse), EPERM (no privilege and no fusermount3), EPROTO (a kernel before 5.4), ENOTSUP
  /// (SessionOptions::tier is one that this kernel hasn't).
  [[nodiscard]] static Result<Session> mount(Filesystem& filesystem, SessionOptions options);

  /// Makes /dev/NAME, by CUSE, and serves it as that one file of `filesystem`, which must outlive the session: a real
  /// character device, which any program takes for one. It can be mapped where the kernel has kernel/patches
  /// (Tier::kernel), by SharedRegions and PagedRegions; elsewhere mmap(2) is ENODEV. Of `options` those of mounts don't
  /// count, and neither does the writeback cache.
  /// Clients of a device whose server has ended get errors, and what they have mapped stays; what they have stored into
  /// a PagedRegion and what isn't written back by then the source won't see: PagedRegion::unmap before stop(), where
  /// that matters. RELEASE isn't waited for by close(2) after an mmap(2), and there's no FLUSH; read(2) and write(2)
  /// have no offset, fsync(2) is EINVAL, msync(2) is as everywhere.
  /// Errors: EINVAL for a name that's none, ENOENT, ENODEV (no CUSE), EACCES, EEXIST (the name or the number is
  /// taken), EPROTO, ENOTSUP as mount().
  [[nodiscard]] static Result<Session> device(Filesystem& filesystem, const CharacterDevice& device,
                                              SessionOptions options);

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Waits until the mount is gone. With wait_or_signal() SIGINT and SIGTERM end it (unless they were ignored before),
  /// and SIGHUP calls `on_hangup` or is ignored. The former dispositions are restored. `when_ready` is called once
  /// signals do that: who tells others that the mount is there does it then. Returns the error that ended it.
  Result<void> wait();
  Result<void> wait_or_signal(const std::function<void()>& on_hangup = {},
                              const std::function<void()>& when_ready = {});

  /// Unmounts and ends. Returns at once; wait() tells when it's done.
  void stop();

  [[nodiscard]] Connection& connection();
  [[nodiscard]] const std::string& mountpoint() const;  ///< absolute, without symbolic links

  class Impl;

 private:
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dmmap
