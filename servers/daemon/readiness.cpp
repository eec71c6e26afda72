#include "servers/daemon/readiness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ostream>
#include <utility>

namespace dmmap::daemon {

namespace {

// The first byte of what the child tells.
constexpr char kReady = 'r';
constexpr char kFailed = 'f';

std::string read_all(int fd) {
  std::string text;
  std::array<char, 512> part{};
  for (;;) {
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return text;
    }
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Readiness::~Readiness() {
  if (to_parent_ >= 0) {
    ::close(to_parent_);
  }
}

Result<std::optional<int>> Readiness::detach(std::ostream& err) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail_errno(errno, "can't detach: pipe");
  }
  out_->flush();
  err.flush();
  const pid_t child = ::fork();
  if (child < 0) {
    const int code = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return fail_errno(code, "can't detach: fork");
  }
  if (child > 0) {
    ::close(ends[1]);
    const std::string told = read_all(ends[0]);
    ::close(ends[0]);
    if (!told.empty() && told[0] == kReady) {
      *out_ << told.substr(1) << std::endl;
      return std::optional<int>(0);
    }
    err << (told.empty() ? std::string("the server ended before it was ready") : told.substr(1)) << std::endl;
    return std::optional<int>(1);
  }
  ::close(ends[0]);
  to_parent_ = ends[1];
  ::setsid();
  if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(null, fd);
    }
    if (null > STDERR_FILENO) {
      ::close(null);
    }
  }
  return std::optional<int>();
}

void Readiness::ready(const std::string& line) {
  if (to_parent_ >= 0) {
    // The directory that the user was in may be unmounted some day.
    static_cast<void>(::chdir("/") == 0);
    tell(kReady, line);
  } else {
    *out_ << line << std::endl;
  }
  ::sd_notify(0, fmt::format("READY=1\nMAINPID={}\nSTATUS={}", ::getpid(), line).c_str());
}

bool Readiness::failed(const std::string& line) {
  if (to_parent_ < 0) {
    return false;
  }
  tell(kFailed, line);
  return true;
}

void Readiness::stopping() {
  ::sd_notify(0, "STOPPING=1");
}

void Readiness::tell(char what, const std::string& line) {
  const std::string message = what + line;
  for (std::size_t done = 0; done < message.size();) {
    const ssize_t sent = ::write(to_parent_, message.data() + done, message.size() - done);
    if (sent < 0 && errno != EINTR) {
      break;  // the parent is gone
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  }
  ::close(std::exchange(to_parent_, -1));
}

}  // namespace dmmap::daemon
