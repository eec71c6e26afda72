// Connection: what a server can do with its mount besides answering.
//
// Promises: lives as long as the Session. After the mount is gone calls fail with ENOTCONN and do no harm.
// Thread safety: every call, from any thread.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>
#include <dmmap/log.h>
#include <dmmap/notifier.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace dmmap {

/// A file that the kernel maps in place of ours (FUSE_DEV_IOC_BACKING_OPEN, fs/fuse/backing.c). Closed by the
/// destructor. The id must live until RELEASE of every open that was answered with it.
class BackingId {
 public:
  /// `close` is called once, with the number.
  BackingId(std::int32_t number, std::function<void(std::int32_t)> close);
  BackingId(const BackingId&) = delete;
  BackingId& operator=(const BackingId&) = delete;
  ~BackingId();
  [[nodiscard]] std::int32_t number() const { return number_; }

 private:
  std::int32_t number_;
  std::function<void(std::int32_t)> close_;
};

class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  [[nodiscard]] virtual const Capabilities& capabilities() const = 0;
  [[nodiscard]] virtual Notifier& notifier() = 0;
  /// Registers regular file `fd` as a backing.
  /// Errors: ENOSYS without Feature::passthrough; EPERM without CAP_SYS_ADMIN in the initial user namespace; what the
  /// kernel says of the file.
  [[nodiscard]] virtual Result<std::shared_ptr<BackingId>> open_backing(int fd) = 0;
  /// Where the mount is: absolute, without symbolic links. Empty for a device.
  [[nodiscard]] virtual const std::string& mountpoint() const = 0;
  /// Opens a file in the root of the mount as a client would, by openat(2) with these flags; of a device that's a
  /// directory which nobody else sees, where LOOKUP in kRootNode finds what the server says. The descriptor is the
  /// caller's. Waits for requests, so other threads must be there to answer them. Errors: EOPNOTSUPP for a device that
  /// has no such directory (kernel/patches); those of openat(2).
  [[nodiscard]] virtual Result<int> open_in_root(const std::string& name, int flags) = 0;
  /// Whether that's possible at all. Errors: EOPNOTSUPP.
  [[nodiscard]] virtual Result<void> has_root() const = 0;
  /// Says something to SessionOptions::log.
  virtual void log(LogLevel level, const std::string& text) = 0;
  /// Lookups that the kernel holds now, of all nodes together.
  [[nodiscard]] virtual std::uint64_t outstanding_lookups() const = 0;
};

}  // namespace dmmap
