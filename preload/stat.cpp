// stat(2) and its kin: a file that stands for a character device is shown as one.
//
// Old programs look before they use what they take for a device. Which files do, and for which device, the server says
// by an extended attribute; nobody else's files are asked. DMMAP_CHARACTER_DEVICES=0 in the environment turns it off.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "preload/mounts.h"
#include "preload/next.h"
#include "preload/sysfs.h"
#include "preload/system.h"
#include "protocol/map_protocol.h"

namespace dmmap::preload {

namespace {

DMMAP_NEXT(stat);
DMMAP_NEXT(lstat);
DMMAP_NEXT(fstat);
DMMAP_NEXT(fstatat);
DMMAP_NEXT(statx);

constinit bool switched_off = false;

[[gnu::constructor]] void begin() {
  const char* const wish = std::getenv("DMMAP_CHARACTER_DEVICES");
  switched_off = wish != nullptr && std::strcmp(wish, "0") == 0;
}

// How the file was named to stat(2).
struct Named {
  int directory = AT_FDCWD;
  const char* path = nullptr;  // null or "": `directory` is the file
  bool follow = true;
};

struct Number {
  unsigned major = 0;
  unsigned minor = 0;
};

// The device that the file stands for. False: none.
bool find_device(const Named& named, Number& number) {
  std::array<char, 128> value{};
  ssize_t length = -1;
  if (named.path == nullptr || named.path[0] == '\0') {
    length =
        system_call(SYS_fgetxattr, named.directory, protocol::map::kDeviceAttribute, value.data(), value.size() - 1);
    if (length == -EBADF) {  // O_PATH
      Path path;             // NOLINT(*-member-init)
      std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", named.directory);
      length = system_call(SYS_getxattr, path.data(), protocol::map::kDeviceAttribute, value.data(), value.size() - 1);
    }
  } else {
    Path path;  // NOLINT(*-member-init)
    const bool as_it_is = named.directory == AT_FDCWD || named.path[0] == '/';
    if (!as_it_is) {
      std::snprintf(path.data(), path.size(), "/proc/self/fd/%d/%s", named.directory, named.path);
    }
    length = system_call(named.follow ? SYS_getxattr : SYS_lgetxattr, as_it_is ? named.path : path.data(),
                         protocol::map::kDeviceAttribute, value.data(), value.size() - 1);
  }
  std::array<char, 64> name{};
  const bool is_device =
      length > 0 && std::sscanf(value.data(), "%u:%u %63s", &number.major, &number.minor, name.data()) >= 2;
  if (is_device) {
    remember_device(number.major, number.minor, name.data());
  }
  return is_device;
}

int shown(int result, struct stat* status, const Named& named) {
  Number number;
  if (result == 0 && S_ISREG(status->st_mode) && !switched_off && may_be_ours(status->st_dev) &&
      find_device(named, number)) {
    status->st_mode = (status->st_mode & ~static_cast<mode_t>(S_IFMT)) | S_IFCHR;
    status->st_rdev = makedev(number.major, number.minor);
    status->st_size = 0;
    status->st_blocks = 0;
  }
  return result;
}

int shown(int result, struct statx* status, const Named& named) {
  Number number;
  constexpr unsigned kWanted = STATX_TYPE;
  if (result == 0 && (status->stx_mask & kWanted) != 0 && S_ISREG(status->stx_mode) && !switched_off &&
      may_be_ours(makedev(status->stx_dev_major, status->stx_dev_minor)) && find_device(named, number)) {
    status->stx_mode = static_cast<std::uint16_t>((status->stx_mode & ~static_cast<unsigned>(S_IFMT)) | S_IFCHR);
    status->stx_rdev_major = number.major;
    status->stx_rdev_minor = number.minor;
    status->stx_size = 0;
    status->stx_blocks = 0;
  }
  return result;
}

int show_stat(const char* path, struct stat* status) {
  return shown(next_stat(path, status), status, {.path = path});
}
int show_lstat(const char* path, struct stat* status) {
  return shown(next_lstat(path, status), status, {.path = path, .follow = false});
}
int show_fstat(int fd, struct stat* status) {
  return shown(next_fstat(fd, status), status, {.directory = fd});
}
int show_fstatat(int directory, const char* path, struct stat* status, int flags) {
  return shown(next_fstatat(directory, path, status, flags), status,
               {directory, path, (flags & AT_SYMLINK_NOFOLLOW) == 0});
}

// On 64-bit machines they are the same structure (bits/struct_stat.h).
static_assert(sizeof(struct stat64) == sizeof(struct stat));
struct stat* narrow(struct stat64* status) {
  return reinterpret_cast<struct stat*>(status);
}

}  // namespace

DMMAP_STANDS_BEFORE int stat(const char* path, struct stat* status) noexcept {
  return show_stat(path, status);
}
DMMAP_STANDS_BEFORE int lstat(const char* path, struct stat* status) noexcept {
  return show_lstat(path, status);
}
DMMAP_STANDS_BEFORE int fstat(int fd, struct stat* status) noexcept {
  return show_fstat(fd, status);
}
DMMAP_STANDS_BEFORE int fstatat(int directory, const char* path, struct stat* status, int flags) noexcept {
  return show_fstatat(directory, path, status, flags);
}
DMMAP_STANDS_BEFORE int stat64(const char* path, struct stat64* status) noexcept {
  return show_stat(path, narrow(status));
}
DMMAP_STANDS_BEFORE int lstat64(const char* path, struct stat64* status) noexcept {
  return show_lstat(path, narrow(status));
}
DMMAP_STANDS_BEFORE int fstat64(int fd, struct stat64* status) noexcept {
  return show_fstat(fd, narrow(status));
}
DMMAP_STANDS_BEFORE int fstatat64(int directory, const char* path, struct stat64* status, int flags) noexcept {
  return show_fstatat(directory, path, narrow(status), flags);
}
DMMAP_STANDS_BEFORE int statx(int directory, const char* path, int flags, unsigned mask,
                              struct statx* status) noexcept {
  return shown(next_statx(directory, path, flags, mask, status), status,
               {directory, path, (flags & AT_SYMLINK_NOFOLLOW) == 0});
}

// By these names programs call it that were built with a C library before 2.33.
DMMAP_STANDS_BEFORE int __xstat(int /*version*/, const char* path, struct stat* status) noexcept {
  return show_stat(path, status);
}
DMMAP_STANDS_BEFORE int __lxstat(int /*version*/, const char* path, struct stat* status) noexcept {
  return show_lstat(path, status);
}
DMMAP_STANDS_BEFORE int __fxstat(int /*version*/, int fd, struct stat* status) noexcept {
  return show_fstat(fd, status);
}
DMMAP_STANDS_BEFORE int __fxstatat(int /*version*/, int directory, const char* path, struct stat* status,
                                   int flags) noexcept {
  return show_fstatat(directory, path, status, flags);
}
DMMAP_STANDS_BEFORE int __xstat64(int /*version*/, const char* path, struct stat64* status) noexcept {
  return show_stat(path, narrow(status));
}
DMMAP_STANDS_BEFORE int __lxstat64(int /*version*/, const char* path, struct stat64* status) noexcept {
  return show_lstat(path, narrow(status));
}
DMMAP_STANDS_BEFORE int __fxstat64(int /*version*/, int fd, struct stat64* status) noexcept {
  return show_fstat(fd, narrow(status));
}
DMMAP_STANDS_BEFORE int __fxstatat64(int /*version*/, int directory, const char* path, struct stat64* status,
                                     int flags) noexcept {
  return show_fstatat(directory, path, narrow(status), flags);
}

}  // namespace dmmap::preload
