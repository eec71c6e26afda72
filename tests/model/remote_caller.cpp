#include "model/remote_caller.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "support/child.h"
#include "support/guarded_copy.h"
#include "support/mounts.h"

namespace dmmap::testing {

RemoteCaller::RemoteCaller() {
  void* const memory = ::mmap(nullptr, kBytes + 2 * kText, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  std::array<int, 2> ends{};
  if (memory == MAP_FAILED ||  // NOLINT(*-cstyle-cast)
      ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("no memory or sockets to share with a client process");
  }
  memory_ = static_cast<char*>(memory);
  child_ = fork_with(ends[1]);
  if (child_ == 0) {
    serve(ends[1]);
  }
  ::close(ends[1]);
  socket_ = ends[0];
  if (child_ < 0) {
    throw std::runtime_error("no client process");
  }
}

RemoteCaller::~RemoteCaller() {
  ::close(socket_);
  ::kill(child_, SIGKILL);
  // One that is stuck in the kernel isn't waited for.
  static_cast<void>(wait_until([this] { return ::waitpid(child_, nullptr, WNOHANG) != 0; }, std::chrono::seconds(10)));
  ::munmap(memory_, kBytes + 2 * kText);
}

void RemoteCaller::serve(int socket) {
  guard_copies();
  Command command{};
  while (::recv(socket, &command, sizeof command, 0) == static_cast<ssize_t>(sizeof command)) {
    const Answer answer = carry_out(command);
    ::send(socket, &answer, sizeof answer, MSG_NOSIGNAL);
  }
  ::_exit(0);
}

RemoteCaller::Answer RemoteCaller::carry_out(const Command& command) {
  const auto& words = command.words;
  if (command.number == kCopy) {
    const bool copied =
        copy_guarded(reinterpret_cast<unsigned char*>(words[0]), reinterpret_cast<const unsigned char*>(words[1]),
                     static_cast<std::size_t>(words[2]));
    return {copied ? words[2] : -1, copied ? 0 : -SIGBUS};
  }
  const long result =
      ::syscall(command.number, words[0], words[1], words[2], words[3], words[4], words[5]);  // NOLINT(*-vararg)
  return {result, result == -1 ? errno : 0};
}

void RemoteCaller::send(const Command& command) {
  if (::send(socket_, &command, sizeof command, MSG_NOSIGNAL) < 0) {
    throw std::runtime_error("a client process has ended");
  }
}

RemoteCaller::Outcome RemoteCaller::finish() {
  constexpr int kPatience = 60'000;
  pollfd wanted{socket_, POLLIN, 0};
  if (::poll(&wanted, 1, kPatience) != 1) {
    throw std::runtime_error("a client process hangs");
  }
  Answer answer{};
  if (::recv(socket_, &answer, sizeof answer, 0) != static_cast<ssize_t>(sizeof answer)) {
    throw std::runtime_error("a client process has ended");
  }
  return {answer.result, static_cast<int>(answer.error), {}};
}

const char* RemoteCaller::text(std::string_view text) {
  if (text.size() >= kText) {
    throw std::runtime_error("too long a text for a client process");
  }
  char* const place = memory_ + kBytes + (texts_++ % 2) * kText;
  std::memcpy(place, text.data(), text.size());
  place[text.size()] = '\0';
  return place;
}

}  // namespace dmmap::testing
