// DevCuse: the transport over /dev/cuse (fs/fuse/cuse.c): a character device, as if it were a file of a mount.
//
// Promises: CUSE_INIT is an INIT to the session, and its answer makes the device; requests, which name no node there,
// name the one that was said. Thread safety: as Transport.
#pragma once

#include <dmmap/ids.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "transport/dev_fuse.h"

namespace dmmap::transport {

class DevCuse final : public Transport {
 public:
  struct Device {
    std::string name;  // below /dev, and in /sys/class/cuse
    std::uint32_t major = 0;
    std::uint32_t minor = 0;  // 0 and 0: as the kernel likes
    NodeId node;
  };
  /// Opens /dev/cuse. The device is there when INIT has been answered, or, where it can't be, no request comes any
  /// more. Errors: EINVAL for a name that's none, EEXIST for one that's taken; ENODEV, EACCES with what to do.
  static Result<std::unique_ptr<DevCuse>> open(Device device);

  Result<std::size_t> receive(std::span<std::byte> buffer) override;
  Result<void> reply(RequestId request, std::span<const iovec> message) override;
  Result<void> notify(std::span<const iovec> message) override { return inner_->notify(message); }
  Result<std::int32_t> open_backing(int fd) override { return inner_->open_backing(fd); }
  void close_backing(std::int32_t number) override { inner_->close_backing(number); }
  Result<UniqueFd> open_nodes() override { return inner_->open_nodes(); }
  void interrupt_receivers() override { inner_->interrupt_receivers(); }
  void close() override { inner_->close(); }

 private:
  DevCuse(Device device, std::unique_ptr<DevFuse> inner) : device_(std::move(device)), inner_(std::move(inner)) {}
  /// `buffer` has a CUSE_INIT; the INIT that the session gets in its place.
  std::size_t translate_init(std::span<std::byte> buffer);
  Result<void> answer_init(RequestId request, std::span<const iovec> message);

  const Device device_;
  const std::unique_ptr<DevFuse> inner_;
  std::atomic<std::uint64_t> init_{0};  // the unique of a CUSE_INIT that isn't answered
};

}  // namespace dmmap::transport
