#include "transport/dev_fuse.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <mutex>

#include "protocol/abi.h"
#include "protocol/abi_mmap.h"

namespace dmmap::transport {

Result<std::unique_ptr<DevFuse>> DevFuse::create(UniqueFd device) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) {
    return fail_errno(errno, "eventfd");
  }
  return std::unique_ptr<DevFuse>(new DevFuse(std::move(device), std::move(stop)));
}

Result<std::size_t> DevFuse::receive(std::span<std::byte> buffer) {
  const std::shared_lock lock(open_);
  while (device_) {
    // Under load a request is there already: ask first, wait after.
    const ssize_t got = ::read(device_.get(), buffer.data(), buffer.size());
    if (got > 0) {
      static_cast<void>(answers_.load(std::memory_order_acquire));
      return static_cast<std::size_t>(got);
    }
    const int code = got == 0 ? ENODEV : errno;
    if (code == ENODEV || code == ECONNABORTED) {
      return std::size_t{0};
    }
    // ENOENT: the request was taken back between being announced and being read.
    if (code != EAGAIN && code != EINTR && code != ENOENT) {
      return fail_errno(code, "reading a request from /dev/fuse");
    }
    std::array<pollfd, 2> wanted{{{device_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR) {
      return fail_errno(errno, "poll on /dev/fuse");
    }
    if ((wanted[1].revents & POLLIN) != 0) {
      return std::size_t{0};
    }
  }
  return std::size_t{0};
}

Result<void> DevFuse::write_message(std::span<const iovec> message) {
  const std::shared_lock lock(open_);
  if (!device_) {
    return fail(ENODEV, "the mount is gone");
  }
  answers_.fetch_add(1, std::memory_order_release);
  while (true) {
    if (::writev(device_.get(), message.data(), static_cast<int>(message.size())) >= 0) {
      return {};
    }
    if (errno != EINTR) {
      return fail_errno(errno, "writing to /dev/fuse");
    }
  }
}

Result<void> DevFuse::reply(RequestId /*request*/, std::span<const iovec> message) {
  return write_message(message);
}

Result<void> DevFuse::notify(std::span<const iovec> message) {
  return write_message(message);
}

Result<std::int32_t> DevFuse::open_backing(int fd) {
  const std::shared_lock lock(open_);
  if (!device_) {
    return fail(ENODEV, "the mount is gone");
  }
  protocol::BackingMap map{};
  map.fd = fd;
  const int number = ::ioctl(device_.get(), protocol::kDevIocBackingOpen, &map);
  if (number < 0) {
    return fail_errno(errno, "FUSE_DEV_IOC_BACKING_OPEN");
  }
  return number;
}

void DevFuse::close_backing(std::int32_t number) {
  const std::shared_lock lock(open_);
  if (device_) {
    const auto id = static_cast<std::uint32_t>(number);
    // Nothing can be done about a failure: the kernel drops the backing with the connection.
    static_cast<void>(::ioctl(device_.get(), protocol::kDevIocBackingClose, &id));
  }
}

Result<UniqueFd> DevFuse::open_nodes() {
  const std::shared_lock lock(open_);
  if (!device_) {
    return fail(ENODEV, "the mount is gone");
  }
  UniqueFd root(::ioctl(device_.get(), protocol::kDevIocNodes, 0UL));
  return root ? Result<UniqueFd>(std::move(root)) : fail_errno(errno, "FUSE_DEV_IOC_NODES");
}

bool DevFuse::connected() {
  const std::shared_lock lock(open_);
  pollfd device{device_.get(), POLLIN, 0};
  int got = 0;
  do {
    got = ::poll(&device, 1, 0);
  } while (got < 0 && errno == EINTR);
  return device_ && got >= 0 && (device.revents & POLLERR) == 0;
}

void DevFuse::interrupt_receivers() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
}

void DevFuse::close() {
  const std::unique_lock lock(open_);
  device_.reset();
}

}  // namespace dmmap::transport
