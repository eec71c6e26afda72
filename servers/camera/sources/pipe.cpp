#include "servers/camera/sources/pipe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace dmmap::camera {

namespace {

constexpr const char* kCancelled = "nobody waits for a picture any more";

}  // namespace

Result<std::unique_ptr<Pipe>> Pipe::open(const std::string& path) {
  std::unique_ptr<Pipe> pipe(new Pipe(path));
  pipe->event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (pipe->event_ < 0) {
    return fail_errno(errno, "can't make an eventfd for the camera's source");
  }
  if (path == "-") {
    pipe->fd_ = STDIN_FILENO;
    return pipe;
  }
  if (const auto opened = pipe->open_file(); !opened) {
    return tl::unexpected(opened.error());
  }
  return pipe;
}

Pipe::~Pipe() {
  if (fd_ > STDIN_FILENO) {
    ::close(fd_);
  }
  if (event_ >= 0) {
    ::close(event_);
  }
}

Result<void> Pipe::open_file() {
  // Without O_NONBLOCK open(2) waits for a FIFO's writer.
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return fail_errno(errno, fmt::format("can't read the camera's source {}", path_));
  }
  const int old = std::exchange(fd_, fd);
  if (old >= 0) {
    ::close(old);
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return fail_errno(errno, fmt::format("can't tell what {} is", path_));
  }
  if (S_ISDIR(status.st_mode)) {
    return fail(EISDIR, fmt::format("{} is a directory; name a FIFO or a file", path_));
  }
  kind_ = S_ISFIFO(status.st_mode) ? Kind::fifo : S_ISREG(status.st_mode) ? Kind::file : Kind::other;
  return {};
}

// poll(2) tells of a FIFO whose writer has gone for as long as it's open, so it's opened anew; before the old one is
// closed, so that a next writer's bytes aren't lost between.
Result<void> Pipe::next_writer() {
  if (const auto opened = open_file(); !opened) {
    return tl::unexpected(opened.error());
  }
  if (kind_ != Kind::fifo) {
    return fail(ENODATA, fmt::format("{} isn't the FIFO any more that it was; start the camera again", path_));
  }
  return {};
}

Result<void> Pipe::wait_for_bytes() const {
  for (;;) {
    std::array<pollfd, 2> polled{{{event_, POLLIN, 0}, {fd_, POLLIN, 0}}};
    const int ready = ::poll(polled.data(), polled.size(), -1);
    if (ready < 0 && errno != EINTR) {
      return fail_errno(errno, fmt::format("can't wait for {}", path_));
    }
    if (ready > 0 && polled[0].revents != 0) {
      return fail(ECANCELED, kCancelled);
    }
    if (ready > 0 && polled[1].revents != 0) {
      return {};
    }
  }
}

Result<std::size_t> Pipe::read(std::span<std::uint8_t> to) {
  for (;;) {
    if (const auto waited = wait_for_bytes(); !waited) {
      return tl::unexpected(waited.error());
    }
    const ssize_t got = ::read(fd_, to.data(), to.size());
    if (got > 0) {
      return static_cast<std::size_t>(got);
    }
    if (got == 0) {
      if (kind_ == Kind::fifo) {
        if (const auto next = next_writer(); !next) {
          return tl::unexpected(next.error());
        }
      }
      return std::size_t{0};
    }
    if (errno != EAGAIN && errno != EINTR) {
      return fail_errno(errno,
                        fmt::format("can't read the camera's source {}", path_ == "-" ? "standard input" : path_));
    }
  }
}

bool Pipe::rewind() {
  return kind_ == Kind::file && ::lseek(fd_, 0, SEEK_SET) == 0;
}

bool Pipe::wait_until(Time time) {
  using std::chrono::nanoseconds;
  constexpr std::int64_t kSecond = 1'000'000'000;
  for (;;) {
    const std::int64_t left = std::max<std::int64_t>(nanoseconds(time - Clock::now()).count(), 0);
    const timespec patience{left / kSecond, left % kSecond};
    pollfd polled{event_, POLLIN, 0};
    if (::ppoll(&polled, 1, &patience, nullptr) > 0) {
      return false;
    }
    if (left == 0) {
      return true;
    }
  }
}

void Pipe::interrupt() {
  // It can't fail: that would need 2^64 - 1 of them.
  (void)::eventfd_write(event_, 1);
}

void Pipe::reset() {
  eventfd_t count = 0;
  (void)::eventfd_read(event_, &count);  // EAGAIN where nothing was broken off
}

}  // namespace dmmap::camera
