// How long a mapping lives, and what ends it: by parts, by children, by exec and by death.
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "preload/client/client.h"

extern char** environ;

namespace client {

namespace {

// A child waits at it until the parent opens it.
class Gate {
 public:
  Gate() { CHECK(::pipe(ends_.data()) == 0); }
  void wait() {
    char byte = 0;
    CHECK(::read(ends_[0], &byte, 1) == 1);
  }
  void open() { CHECK(::write(ends_[1], "g", 1) == 1); }

 private:
  std::array<int, 2> ends_{};
};

// The mark is made through another open file, since this one is closed.
void after_close(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  const int marks = open_device(mount, "marks");
  char* const mapped = map(fd, kPage);
  CHECK(::close(fd) == 0);
  mark(marks, "closed");
  mapped[50] = 3;
  CHECK(mapped[50] == 3);
  mark(marks, "unmaps");
  unmap(mapped, kPage);
}

void by_parts(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  char* const mapped = map(fd, 3 * kPage);
  unmap(mapped + kPage, kPage);
  CHECK(mapped[0] == 'p' && mapped[2 * kPage] == 0 && !can_touch(mapped + kPage));
  unmap(mapped, kPage);
  CHECK(mapped[2 * kPage] == 0);
  mark(fd, "last part");
  unmap(mapped + 2 * kPage, kPage);
}

void inherited(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  char* const mapped = map(fd, kPage);
  Gate gate;
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    gate.wait();
    mapped[60] = 4;
    mark(fd, "child ends");
    std::_Exit(0);
  }
  unmap(mapped, kPage);
  mark(fd, "parent has unmapped");
  gate.open();
  CHECK(status_of(child) == 0);
}

// "alone" is not inherited: the child doesn't have it, and doesn't hold it up.
void not_inherited(const std::string& mount) {
  const int fd = open_device(mount, "alone");
  char* const mapped = map(fd, kPage);
  CHECK(mapped[0] == 'a' && !can_touch(mapped));
  CHECK(std::getenv("CLIENT_MAY_UNDO") != nullptr || (::madvise(mapped, kPage, MADV_DOFORK) == -1 && errno == EINVAL));
  Gate gate;
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    gate.wait();
    // It may map for itself, where its parent has something.
    char* const own = map_at(mapped, fd, kPage, kReadWrite, MAP_SHARED | MAP_FIXED_NOREPLACE);
    CHECK(own[0] == 'a');
    std::_Exit(0);
  }
  mark(fd, "parent unmaps");
  unmap(mapped, kPage);
  ::usleep(100000);  // so that the end comes first if it comes at all
  mark(fd, "child lives");
  gate.open();
  CHECK(status_of(child) == 0);
}

void killed(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  map(fd, kPage);
  map(fd, 2 * kPage);
  mark(fd, "is killed");
  ::raise(SIGKILL);
}

void exec(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  map(fd, kPage);
  CHECK(::fcntl(fd, F_SETFD, 0) == 0);
  mark(fd, "execs");
  ::execl("/bin/sh", "sh", "-c", "sleep 0.2; printf slept >&$0", std::to_string(fd).c_str(), nullptr);
  CHECK(false);
}

// Children that run something else, made in all the ways that there are, take nothing with them and leave it alone.
void other_programs(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  char* const mapped = map(fd, kPage);
  CHECK(::system("true") == 0);
  const std::array<const char*, 2> words{"true", nullptr};
  auto* const arguments = const_cast<char* const*>(words.data());
  pid_t child = 0;
  CHECK(::posix_spawnp(&child, "true", nullptr, nullptr, arguments, environ) == 0 && status_of(child) == 0);
  child = ::vfork();
  if (child == 0) {
    ::closefrom(3);
    ::execvp("true", arguments);
    ::_exit(127);
  }
  CHECK(status_of(child) == 0);
  // All descriptor numbers that are held get another file in the child alone, which needs a few for itself.
  child = ::vfork();
  if (child == 0) {
    for (int number = 3; number < 900; ++number) {
      ::dup2(2, number);
    }
    ::execvp("true", arguments);
    ::_exit(127);
  }
  CHECK(status_of(child) == 0);
  CHECK(mapped[0] == 'p');
  mark(fd, "unmaps");
  unmap(mapped, kPage);
}

// Children fork, map, unmap and die in every order.
void orders(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  for (unsigned order = 0; order < 64; ++order) {
    char* const mapped = map(fd, 2 * kPage);
    const pid_t child = ::fork();
    CHECK(child >= 0);
    if (child == 0) {
      if ((order & 1U) != 0) {
        unmap(mapped, kPage);
      }
      if ((order & 2U) != 0) {
        map(fd, kPage);
      }
      if ((order & 4U) != 0) {
        in_child([&] { map_at(mapped, fd, kPage, PROT_READ, MAP_SHARED | MAP_FIXED); });
      }
      if ((order & 8U) != 0) {
        ::raise(SIGKILL);
      }
      std::_Exit(0);
    }
    if ((order & 16U) != 0) {
      unmap(mapped, 2 * kPage);
    }
    if ((order & 32U) != 0) {
      status_of(child);
    }
    if ((order & 16U) == 0) {
      unmap(mapped, 2 * kPage);
    }
    if ((order & 32U) == 0) {
      status_of(child);
    }
  }
}

}  // namespace

const Entry kLifetime[] = {{"after_close", after_close},       {"by_parts", by_parts}, {"inherited", inherited},
                           {"not_inherited", not_inherited},   {"killed", killed},     {"exec", exec},
                           {"other_programs", other_programs}, {"orders", orders},     {nullptr, nullptr}};

}  // namespace client
