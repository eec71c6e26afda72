#include "mount/mounted.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>

namespace dmmap::testing {

Mounted::Mounted(Filesystem& filesystem, SessionOptions options) {
  options.mount.mountpoint = directory_.path().string();
  options.log = [lines = lines_](LogLevel, const std::string& text) {
    const std::lock_guard lock(lines->lock);
    lines->log += text + "\n";
  };
  options.trace = [lines = lines_](const std::string& text) {
    const std::lock_guard lock(lines->lock);
    lines->trace += text + "\n";
  };
  auto session = Session::mount(filesystem, std::move(options));
  if (!session) {
    throw std::runtime_error(session.error().message);
  }
  session_.emplace(std::move(*session));
}

std::string Mounted::log() const {
  const std::lock_guard lock(lines_->lock);
  return lines_->log;
}

std::string Mounted::trace() const {
  const std::lock_guard lock(lines_->lock);
  return lines_->trace;
}

ClientMap::ClientMap(int fd, std::size_t size, int prot, int flags) : size_(size) {
  void* base = ::mmap(nullptr, size, prot, flags, fd, 0);
  if (base == MAP_FAILED) {  // NOLINT(*-cstyle-cast, performance-no-int-to-ptr)
    error_ = errno;
  } else {
    base_ = static_cast<unsigned char*>(base);
  }
}

void ClientMap::unmap() {
  if (base_ != nullptr) {
    ::munmap(base_, size_);
    base_ = nullptr;
  }
}

RemoteMap::RemoteMap(const std::filesystem::path& path, std::size_t size) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("socketpair");
  }
  child_ = ::fork();
  if (child_ == 0) {
    ::close(ends[0]);
    const ClientMap map(open_file(path, O_RDWR), size, PROT_READ | PROT_WRITE, MAP_SHARED);
    Command command{};
    while (map.ok() && ::recv(ends[1], &command, sizeof command, 0) > 0) {
      if (command.store) {
        map.bytes()[command.offset] = command.value;
      }
      const unsigned char value = command.store ? command.value : map.bytes()[command.offset];
      ::send(ends[1], &value, 1, MSG_NOSIGNAL);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  socket_ = ends[0];
}

RemoteMap::~RemoteMap() {
  ::close(socket_);
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

unsigned char RemoteMap::carry_out(const Command& command) {
  unsigned char value = 0;
  if (::send(socket_, &command, sizeof command, MSG_NOSIGNAL) < 0 || ::recv(socket_, &value, 1, 0) != 1) {
    throw std::runtime_error("the process with the mapping has ended");
  }
  return value;
}

unsigned char RemoteMap::load(std::size_t offset) {
  return carry_out({false, 0, offset});
}
void RemoteMap::store(std::size_t offset, unsigned char value) {
  carry_out({true, value, offset});
}

int open_file(const std::filesystem::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);  // NOLINT(*-vararg)
  return fd >= 0 ? fd : -errno;
}

bool let_everyone_open_fuse(const std::filesystem::path& directory) {
  struct stat status {};
  if (::stat("/dev/fuse", &status) == 0 && (status.st_mode & 0006U) == 0006U) {
    return true;
  }
  const std::string node = (directory / "fuse").string();
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mknod(node.c_str(), S_IFCHR | 0600, status.st_rdev) == 0 && ::chmod(node.c_str(), 0666) == 0 &&
         ::mount(node.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr) == 0;
}

int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(body());
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace dmmap::testing
