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

Mounted::Mounted(Filesystem& filesystem, SessionOptions options, Clients clients) {
  if (clients == Clients::here && !options.tier) {
    options.tier = Tier::open;
  }
  options.mount.mountpoint = directory_.path().string();
  lines_.listen(options);
  auto session = Session::mount(filesystem, std::move(options));
  if (!session) {
    throw std::runtime_error(session.error().message);
  }
  session_.emplace(std::move(*session));
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
