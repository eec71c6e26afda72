// A program that maps files of a mount and asserts what it finds; each of its scenarios is a function.
//
// It knows nothing of the library: what makes it ask at each mmap is how it's started, or the kernel. It isn't
// instrumented, since what is preloaded isn't either. A failed assertion says where, and ends it with status 1.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define CHECK(condition)                                                                                \
  do {                                                                                                  \
    if (!(condition)) {                                                                                 \
      std::fprintf(stderr, "%s:%d: not so: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, errno, \
                   std::strerror(errno));                                                               \
      std::_Exit(1);                                                                                    \
    }                                                                                                   \
  } while (false)

/// An mmap that fails with this errno.
#define CHECK_REFUSED(call, code) \
  do {                            \
    errno = 0;                    \
    CHECK((call) == MAP_FAILED);  \
    CHECK(errno == (code));       \
  } while (false)

namespace client {

inline constexpr std::size_t kPage = 4096;
inline constexpr int kReadWrite = PROT_READ | PROT_WRITE;

/// Opens MOUNT/NAME, or ends.
int open_device(const std::string& mount, const char* name, int flags = O_RDWR);
/// Maps shared, at an address of the kernel's choice, or ends.
char* map(int fd, std::size_t length, int prot = kReadWrite, off_t offset = 0);
char* map_at(void* address, int fd, std::size_t length, int prot, int flags, off_t offset = 0);
void unmap(void* address, std::size_t length);
/// Puts a word into the server's list of what has happened, between what came before and what comes after.
void mark(int fd, const char* word);
/// Whether a load from there is answered; a signal that isn't is caught in a child.
bool can_touch(const volatile char* address);
/// The exit status of a child that calls `body`; 128 + n for signal n.
template <class Body>
int in_child(Body body);
int status_of(pid_t child);

using Scenario = void (*)(const std::string& mount);
/// Null where there's none of that name.
Scenario find_scenario(const char* name);

// Each file's, by name.
struct Entry {
  const char* name;
  Scenario scenario;
};
extern const Entry kSharing[];
extern const Entry kPlacement[];
extern const Entry kLifetime[];
extern const Entry kDescriptors[];
extern const Entry kThreads[];
extern const Entry kForgery[];
extern const Entry kPaged[];

template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    body();
    std::_Exit(0);
  }
  return status_of(child);
}

}  // namespace client
