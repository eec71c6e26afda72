// What closes descriptors, and what makes a number name another file: open and its kin, close and its kin, dup and its
// kin, fopen, recvmsg.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>

#include <cstdarg>
#include <cstdio>

#include "preload/descriptor_table.h"
#include "preload/mapping_table.h"
#include "preload/next.h"
#include "preload/process.h"
#include "preload/sysfs.h"

namespace dmmap::preload {

namespace {

DMMAP_NEXT(open);
DMMAP_NEXT(open64);
DMMAP_NEXT(openat);
DMMAP_NEXT(openat64);
DMMAP_NEXT(creat);
DMMAP_NEXT(creat64);
DMMAP_NEXT(close);
DMMAP_NEXT(close_range);
DMMAP_NEXT(dup);
DMMAP_NEXT(dup2);
DMMAP_NEXT(dup3);
DMMAP_NEXT(fcntl);
DMMAP_NEXT(fcntl64);
DMMAP_NEXT(fopen);
DMMAP_NEXT(fopen64);
DMMAP_NEXT(freopen);
DMMAP_NEXT(freopen64);
DMMAP_NEXT(recvmsg);
DMMAP_NEXT(recvmmsg);

int is_new(int fd) {
  if (fd >= 0) {
    descriptors.set_unknown(fd);
  }
  return fd;
}

std::FILE* is_new(std::FILE* file) {
  if (file != nullptr) {
    descriptors.set_unknown(::fileno(file));
  }
  return file;
}

bool has_mode(int flags) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

// Another file comes to have the number: one of ours that has it moves away. Zero, or a negative errno.
long make_way(int fd) {
  if (!descriptors.is_held(fd) || !is_own_process()) {
    return 0;
  }
  const Quiet quiet(mappings.lock());
  return mappings.move_file(fd);
}

int close_all_but_held(unsigned first, unsigned last, int flags) {
  while (true) {
    const int held = descriptors.next_held(first);
    const bool any = held >= 0 && static_cast<unsigned>(held) <= last;
    const unsigned end = any ? static_cast<unsigned>(held) : last;
    if (!any || end > first) {
      if (const int result = next_close_range(first, any ? end - 1 : last, flags); result != 0) {
        return result;
      }
    }
    if (!any || end == last) {
      return 0;
    }
    first = end + 1;
  }
}

// Which files passed descriptors are isn't looked at: it's the next mmap that asks.
void note_received(const msghdr& message) {
  for (const cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
       each = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(each))) {
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) {
      const std::size_t bytes = each->cmsg_len - CMSG_LEN(0);
      for (std::size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
        int fd = -1;
        __builtin_memcpy(&fd, CMSG_DATA(each) + at, sizeof fd);
        is_new(fd);
      }
    }
  }
}

// What was opened, or what sysfs would say there if the device that a program was shown were one.
int or_uevent(int fd, const char* path) {
  if (fd >= 0 || errno != ENOENT) {
    return fd;
  }
  return open_uevent(path);
}
std::FILE* or_uevent(std::FILE* stream, const char* path, const char* mode) {
  if (stream != nullptr || errno != ENOENT) {
    return stream;
  }
  const int fd = open_uevent(path);
  return fd < 0 ? nullptr : ::fdopen(fd, mode);
}

}  // namespace

// The third argument of open(2), where there is one.
#define DMMAP_MODE(flags)                                        \
  mode_t mode = 0;                                               \
  if (has_mode(flags)) {                                         \
    std::va_list arguments;                                      \
    va_start(arguments, flags);                                  \
    mode = static_cast<mode_t>(va_arg(arguments, unsigned int)); \
    va_end(arguments);                                           \
  }

DMMAP_STANDS_BEFORE int open(const char* path, int flags, ...) {
  DMMAP_MODE(flags)
  return is_new(or_uevent(next_open(path, flags, mode), path));
}
DMMAP_STANDS_BEFORE int open64(const char* path, int flags, ...) {
  DMMAP_MODE(flags)
  return is_new(or_uevent(next_open64(path, flags, mode), path));
}
DMMAP_STANDS_BEFORE int openat(int directory, const char* path, int flags, ...) {
  DMMAP_MODE(flags)
  return is_new(next_openat(directory, path, flags, mode));
}
DMMAP_STANDS_BEFORE int openat64(int directory, const char* path, int flags, ...) {
  DMMAP_MODE(flags)
  return is_new(next_openat64(directory, path, flags, mode));
}
// What open(2) is where _FORTIFY_SOURCE checks its arguments (bits/fcntl2.h).
DMMAP_STANDS_BEFORE int __open_2(const char* path, int flags) {
  return is_new(next_open(path, flags, 0U));
}
DMMAP_STANDS_BEFORE int __open64_2(const char* path, int flags) {
  return is_new(next_open64(path, flags, 0U));
}
DMMAP_STANDS_BEFORE int __openat_2(int directory, const char* path, int flags) {
  return is_new(next_openat(directory, path, flags, 0U));
}
DMMAP_STANDS_BEFORE int __openat64_2(int directory, const char* path, int flags) {
  return is_new(next_openat64(directory, path, flags, 0U));
}
DMMAP_STANDS_BEFORE int creat(const char* path, mode_t mode) {
  return is_new(next_creat(path, mode));
}
DMMAP_STANDS_BEFORE int creat64(const char* path, mode_t mode) {
  return is_new(next_creat64(path, mode));
}

DMMAP_STANDS_BEFORE std::FILE* fopen(const char* path, const char* mode) {
  return is_new(or_uevent(next_fopen(path, mode), path, mode));
}
DMMAP_STANDS_BEFORE std::FILE* fopen64(const char* path, const char* mode) {
  return is_new(or_uevent(next_fopen64(path, mode), path, mode));
}
DMMAP_STANDS_BEFORE std::FILE* freopen(const char* path, const char* mode, std::FILE* stream) {
  return is_new(next_freopen(path, mode, stream));
}
DMMAP_STANDS_BEFORE std::FILE* freopen64(const char* path, const char* mode, std::FILE* stream) {
  return is_new(next_freopen64(path, mode, stream));
}

DMMAP_STANDS_BEFORE int close(int fd) {
  if (descriptors.is_held(fd)) {
    errno = EBADF;  // the program never had it
    return -1;
  }
  descriptors.set_unknown(fd);
  return next_close(fd);
}

DMMAP_STANDS_BEFORE int close_range(unsigned first, unsigned last, int flags) noexcept {
  if (!descriptors.any_held() || first > last || (static_cast<unsigned>(flags) & CLOSE_RANGE_CLOEXEC) != 0) {
    return next_close_range(first, last, flags);
  }
  return close_all_but_held(first, last, flags);
}

DMMAP_STANDS_BEFORE void closefrom(int first) noexcept {
  close_all_but_held(first < 0 ? 0U : static_cast<unsigned>(first), ~0U, 0);
}

DMMAP_STANDS_BEFORE int dup(int fd) noexcept {
  return is_new(next_dup(fd));
}

DMMAP_STANDS_BEFORE int dup2(int fd, int wanted) noexcept {
  if (const long way = make_way(wanted); way < 0) {
    errno = static_cast<int>(-way);
    return -1;
  }
  return is_new(next_dup2(fd, wanted));
}

DMMAP_STANDS_BEFORE int dup3(int fd, int wanted, int flags) noexcept {
  if (const long way = make_way(wanted); way < 0) {
    errno = static_cast<int>(-way);
    return -1;
  }
  return is_new(next_dup3(fd, wanted, flags));
}

#define DMMAP_FCNTL(name)                                               \
  std::va_list arguments;                                               \
  va_start(arguments, command);                                         \
  void* const argument = va_arg(arguments, void*);                      \
  va_end(arguments);                                                    \
  const int result = next_##name(fd, command, argument);                \
  const bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC; \
  return copies ? is_new(result) : result

DMMAP_STANDS_BEFORE int fcntl(int fd, int command, ...) {
  DMMAP_FCNTL(fcntl);
}
DMMAP_STANDS_BEFORE int fcntl64(int fd, int command, ...) {
  DMMAP_FCNTL(fcntl64);
}

DMMAP_STANDS_BEFORE ssize_t recvmsg(int socket, msghdr* message, int flags) {
  const ssize_t received = next_recvmsg(socket, message, flags);
  if (received >= 0) {
    note_received(*message);
  }
  return received;
}

DMMAP_STANDS_BEFORE int recvmmsg(int socket, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const int received = next_recvmmsg(socket, messages, count, flags, timeout);
  for (int each = 0; each < received; ++each) {
    note_received(messages[each].msg_hdr);
  }
  return received;
}

}  // namespace dmmap::preload
