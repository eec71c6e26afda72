// NotifySocket: what systemd is to a service: hears what a program tells it by sd_notify(3).
//
// Thread safety: one thread.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <string>

namespace dmmap::testing {

class NotifySocket {
 public:
  /// A socket at `path`, which is for programs to get as NOTIFY_SOCKET.
  explicit NotifySocket(std::filesystem::path path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // The interface of sockets is made like this.
    bound_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket() { ::close(fd_); }

  [[nodiscard]] bool bound() const { return bound_; }
  [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + path_.string(); }
  /// The next message; empty when none comes in time.
  [[nodiscard]] std::string next(std::chrono::milliseconds timeout) const {
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, static_cast<int>(timeout.count())) != 1) {
      return {};
    }
    std::array<char, 4096> message{};
    const ssize_t size = ::recv(fd_, message.data(), message.size(), 0);
    return size > 0 ? std::string(message.data(), static_cast<std::size_t>(size)) : std::string();
  }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  bool bound_ = false;
};

}  // namespace dmmap::testing
