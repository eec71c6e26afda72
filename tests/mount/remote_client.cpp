#include "mount/remote_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "support/child.h"
#include "support/guarded_copy.h"

namespace dmmap::testing {

namespace {

bool receive_all(int socket, void* to, std::size_t size) {
  return size == 0 || ::recv(socket, to, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

}  // namespace

class RemoteClient::Child {
 public:
  Child(int socket, std::filesystem::path path, std::size_t size, int flags, std::uint64_t map_from)
      : socket_(socket), path_(std::move(path)), size_(size), flags_(flags), map_from_(map_from) {
    open();
    const Answer opened{fd_ < 0 ? errno : 0, 0, fd_};
    ::send(socket_, &opened, sizeof opened, MSG_NOSIGNAL);
  }

  void serve() {
    guard_copies();
    Command command{};
    std::vector<unsigned char> bytes;
    while (receive_all(socket_, &command, sizeof command)) {
      bytes.assign(command.size, 0);
      const bool brings = command.verb == Verb::store || command.verb == Verb::pwrite;
      if (brings && !receive_all(socket_, bytes.data(), bytes.size())) {
        return;
      }
      Answer answer{0, 0, 0};
      errno = 0;
      answer.result = carry_out(command, bytes);
      answer.error = answer.result < 0 ? error_ : 0;
      answer.size = !brings && answer.result > 0 && !bytes.empty() ? static_cast<std::uint32_t>(answer.result) : 0;
      ::send(socket_, &answer, sizeof answer, MSG_NOSIGNAL);
      if (answer.size > 0) {
        ::send(socket_, bytes.data(), answer.size, MSG_NOSIGNAL);
      }
    }
  }

 private:
  void open() {
    fd_ = ::open(path_.c_str(), flags_ | O_CLOEXEC);  // NOLINT(*-vararg)
    if (fd_ >= 0 && size_ > 0) {
      const int protection = (flags_ & O_ACCMODE) == O_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
      void* const base = ::mmap(nullptr, size_, protection, MAP_SHARED, fd_, static_cast<off_t>(map_from_));
      base_ = base == MAP_FAILED ? nullptr : static_cast<unsigned char*>(base);  // NOLINT
    }
  }
  std::int64_t touch(volatile unsigned char* to, const volatile unsigned char* from, std::size_t size) {
    if (base_ == nullptr) {
      error_ = ENODEV;
      return -1;
    }
    if (!copy_guarded(to, from, size)) {
      error_ = -SIGBUS;
      return -1;
    }
    return static_cast<std::int64_t>(size);
  }
  std::int64_t called(std::int64_t result) {
    error_ = errno;
    return result;
  }
  std::int64_t carry_out(const Command& command, std::vector<unsigned char>& bytes) {
    const auto at = static_cast<off_t>(command.offset);
    switch (command.verb) {
      case Verb::load:
        return touch(bytes.data(), base_ + command.offset, bytes.size());
      case Verb::store:
        return touch(base_ + command.offset, bytes.data(), bytes.size());
      case Verb::msync:
        return called(::msync(base_, size_, MS_SYNC));
      case Verb::forget:
        return called(::madvise(base_, size_, MADV_DONTNEED));
      case Verb::pread:
        return called(::pread(fd_, bytes.data(), bytes.size(), at));
      case Verb::pwrite:
        return called(::pwrite(fd_, bytes.data(), bytes.size(), at));
      case Verb::fsync:
        return called(::fsync(fd_));
      case Verb::truncate:
        return called(::ftruncate(fd_, at));
      case Verb::file_size: {
        struct stat status {};
        const int asked = ::fstat(fd_, &status);
        return called(asked != 0 ? -1 : status.st_size);
      }
      case Verb::close:
        return called(::close(fd_));
      case Verb::leave:
        return called(base_ != nullptr && ::munmap(std::exchange(base_, nullptr), size_) != 0 ? -1 : ::close(fd_));
      case Verb::come_back:
        open();
        return called(fd_);
      case Verb::evict:
        return called(-::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED));
    }
    return -1;
  }

  int socket_;
  const std::filesystem::path path_;
  const std::size_t size_;
  const int flags_;
  const std::uint64_t map_from_;
  int fd_ = -1;
  int error_ = 0;
  unsigned char* base_ = nullptr;
};

RemoteClient::RemoteClient(const std::filesystem::path& path, std::size_t size, int flags, std::uint64_t map_from) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("socketpair");
  }
  child_ = fork_with(ends[1]);
  if (child_ == 0) {
    Child(ends[1], path, size, flags, map_from).serve();
    ::_exit(0);
  }
  ::close(ends[1]);
  socket_ = ends[0];
  const auto opened = finish(std::chrono::seconds(60));
  open_error_ = opened ? opened->error : ETIMEDOUT;
}

RemoteClient::~RemoteClient() {
  ::close(socket_);
  kill();
  static_cast<void>(gone(std::chrono::seconds(10)));
}

void RemoteClient::kill() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
  }
}

bool RemoteClient::gone(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (child_ > 0 && ::waitpid(child_, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  child_ = -1;
  return true;
}

void RemoteClient::send(Verb verb, std::uint64_t offset, std::size_t size, std::string_view bytes) {
  const Command command{verb, static_cast<std::uint32_t>(bytes.empty() ? size : bytes.size()), offset};
  if (::send(socket_, &command, sizeof command, MSG_NOSIGNAL) < 0 ||
      (!bytes.empty() && ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0)) {
    throw std::runtime_error("the client process has ended");
  }
}

std::optional<RemoteClient::Outcome> RemoteClient::finish(std::chrono::milliseconds patience) {
  pollfd wanted{socket_, POLLIN, 0};
  if (::poll(&wanted, 1, static_cast<int>(patience.count())) != 1) {
    return std::nullopt;
  }
  Answer answer{};
  if (!receive_all(socket_, &answer, sizeof answer)) {
    throw std::runtime_error("the client process has ended");
  }
  Outcome outcome{answer.error, answer.result, std::string(answer.size, '\0')};
  if (!receive_all(socket_, outcome.bytes.data(), outcome.bytes.size())) {
    throw std::runtime_error("the client process has ended");
  }
  return outcome;
}

RemoteClient::Outcome RemoteClient::ask(Verb verb, std::uint64_t offset, std::size_t size, std::string_view bytes) {
  send(verb, offset, size, bytes);
  auto outcome = finish(std::chrono::seconds(60));
  if (!outcome) {
    throw std::runtime_error("the client process hangs");
  }
  return std::move(*outcome);
}

unsigned char RemoteClient::load(std::uint64_t offset) {
  const Outcome outcome = load(offset, 1);
  if (!outcome.ok()) {
    throw std::runtime_error("a load failed");
  }
  return static_cast<unsigned char>(outcome.bytes[0]);
}

void RemoteClient::store(std::uint64_t offset, unsigned char value) {
  const char byte = static_cast<char>(value);
  if (!store(offset, std::string_view(&byte, 1)).ok()) {
    throw std::runtime_error("a store failed");
  }
}

}  // namespace dmmap::testing
