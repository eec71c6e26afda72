// DevFuse: the transport over /dev/fuse, read(2) and writev(2) (fs/fuse/dev.c).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <shared_mutex>

#include "transport/transport.h"
#include "transport/unique_fd.h"

namespace dmmap::transport {

class DevFuse final : public Transport {
 public:
  /// REQUIRES: `device` is an open /dev/fuse, mounted, O_NONBLOCK.
  static Result<std::unique_ptr<DevFuse>> create(UniqueFd device);

  Result<std::size_t> receive(std::span<std::byte> buffer) override;
  Result<void> reply(RequestId request, std::span<const iovec> message) override;
  Result<void> notify(std::span<const iovec> message) override;
  Result<std::int32_t> open_backing(int fd) override;
  void close_backing(std::int32_t number) override;
  Result<UniqueFd> open_nodes() override;
  void interrupt_receivers() override;
  void close() override;

  /// Whether the kernel hasn't given the connection up.
  [[nodiscard]] bool connected();

 private:
  DevFuse(UniqueFd device, UniqueFd stop) : device_(std::move(device)), stop_(std::move(stop)) {}
  Result<void> write_message(std::span<const iovec> message);

  // Held shared around every use of the descriptor, so that close() can't take the number away from under one: another
  // thread's next open() could get it.
  std::shared_mutex open_;
  // What a thread did before it answered comes before what another does on a request that follows from the answer. The
  // kernel sees to that; this says it in the language's terms (and the thread sanitizer's: it doesn't know of
  // descriptors that came over a socket, as fusermount3's do).
  std::atomic<std::uint64_t> answers_{0};
  UniqueFd device_;
  UniqueFd stop_;  // an eventfd, readable once receivers are to stop
};

}  // namespace dmmap::transport
