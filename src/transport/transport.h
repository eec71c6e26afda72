// Transport: how requests come from the kernel and answers go back.
//
// Promises: messages are whole: receive gives one request, a send is one answer or one notification. What an answer is
// for is named beside its bytes, so that a transport whose answers go where their request came from (a ring) can find
// the place. Thread safety: every call, from any thread; several threads may receive.
#pragma once

#include <dmmap/error.h>
#include <dmmap/ids.h>

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "transport/unique_fd.h"

namespace dmmap::transport {

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Waits for a request. Returns its size in bytes, or 0 when no request will come any more: the mount is gone or
  /// interrupt_receivers() was called. REQUIRES: `buffer` holds at least max_write + 4096 bytes.
  [[nodiscard]] virtual Result<std::size_t> receive(std::span<std::byte> buffer) = 0;

  /// Answers `request`. Errors: ENOENT when nobody waits for it any more; ENODEV when the mount is gone.
  [[nodiscard]] virtual Result<void> reply(RequestId request, std::span<const iovec> message) = 0;

  /// Sends a notification; may wait until other requests have been answered. Errors: the kernel's.
  [[nodiscard]] virtual Result<void> notify(std::span<const iovec> message) = 0;

  /// Registers a backing file (FUSE_DEV_IOC_BACKING_OPEN); returns its number, greater than 0.
  [[nodiscard]] virtual Result<std::int32_t> open_backing(int fd) = 0;
  virtual void close_backing(std::int32_t number) = 0;

  /// A directory in which openat(2) finds the connection's nodes, where these are in no mount (kDevIocNodes).
  /// REQUIRES: INIT has been answered. Errors: ENOTTY when the kernel has no such thing.
  [[nodiscard]] virtual Result<UniqueFd> open_nodes() = 0;

  /// All receivers return 0, now and later.
  virtual void interrupt_receivers() = 0;

  /// Gives the connection up: with the last reference to it gone, the kernel fails what is unanswered.
  /// REQUIRES: no receiver is inside receive().
  virtual void close() = 0;
};

}  // namespace dmmap::transport
