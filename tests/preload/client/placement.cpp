// Where a mapping comes to lie, and what lay there before.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>

#include "preload/client/client.h"

namespace client {

namespace {

char* anonymous(std::size_t length, char fill) {
  char* const mapped = map_at(nullptr, -1, length, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS);
  std::memset(mapped, fill, length);
  return mapped;
}

void fixed(const std::string& mount) {
  const int fd = open_device(mount, "fresh");
  char* const target = anonymous(4 * kPage, 't');
  // Refused by the server, then by the kernel: nothing has changed.
  CHECK_REFUSED(::mmap(target, 2U << 20U, kReadWrite, MAP_SHARED | MAP_FIXED, fd, 0), ENXIO);
  CHECK(target[0] == 't' && target[4 * kPage - 1] == 't');
  CHECK_REFUSED(::mmap(target, kPage, kReadWrite, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), EEXIST);
  CHECK_REFUSED(::mmap(target + 1, kPage, kReadWrite, MAP_SHARED | MAP_FIXED, fd, 0), EINVAL);
  CHECK(target[0] == 't' && target[4 * kPage - 1] == 't');
  // In the middle of it.
  CHECK(map_at(target + kPage, fd, kPage, kReadWrite, MAP_SHARED | MAP_FIXED) == target + kPage);
  CHECK(target[0] == 't' && std::strcmp(target + kPage, "fresh one") == 0 && target[2 * kPage] == 't');
  // Over one of its own.
  target[kPage] = 'F';
  map_at(target + kPage, fd, kPage, kReadWrite, MAP_SHARED | MAP_FIXED);
  CHECK(target[kPage] == 'f');
  // Where nothing is.
  char* const hole = anonymous(kPage, 'h');
  unmap(hole, kPage);
  CHECK(map_at(hole, fd, kPage, kReadWrite, MAP_SHARED | MAP_FIXED_NOREPLACE) == hole);
  CHECK(std::strcmp(hole, "fresh one") == 0);
}

// Whatever takes it away ends a mapping, and the server is told after the mark that comes before.
void taken_away(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  char* const covered = map(fd, kPage);
  mark(fd, "cover");
  map_at(covered, -1, kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
  char* const around = anonymous(3 * kPage, 'a');
  map_at(around + kPage, fd, kPage, kReadWrite, MAP_SHARED | MAP_FIXED);
  mark(fd, "sweep");
  unmap(around, 3 * kPage);
  char* const overrun = map(fd, kPage);
  char* const mover = anonymous(kPage, 'm');
  mark(fd, "overrun");
  CHECK(::mremap(mover, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, overrun) == overrun);
  CHECK(overrun[0] == 'm');
}

void moved(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  char* const first = map(fd, 2 * kPage);
  first[kPage] = 9;
  char* const to = anonymous(8 * kPage, 'x');
  CHECK(::mremap(first, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
  CHECK(to[kPage] == 9 && to[2 * kPage] == 'x');
  // Longer, within the region.
  void* const longer = ::mremap(to, 2 * kPage, 16 * kPage, MREMAP_MAYMOVE);
  CHECK(longer != MAP_FAILED);
  auto* const all = static_cast<char*>(longer);
  CHECK(all[kPage] == 9 && all[15 * kPage] == 0);
  // Once more the same: of a shared mapping an old length of 0 makes another.
  void* const copy = ::mremap(all, 0, kPage, MREMAP_MAYMOVE);
  CHECK(copy != MAP_FAILED && std::strcmp(static_cast<char*>(copy), "playback") == 0);
  mark(fd, "one gone");
  unmap(all, 16 * kPage);
  CHECK(std::strcmp(static_cast<char*>(copy), "playback") == 0);
  mark(fd, "both gone");
  unmap(copy, kPage);
}

void looks(const std::string& mount) {
  const std::string path = mount + "/" + "device";
  const int fd = open_device(mount, "device");
  struct stat status {};
  const auto is_device = [&status] { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(14, 3); };
  CHECK(::stat(path.c_str(), &status) == 0 && is_device());
  CHECK(::lstat(path.c_str(), &status) == 0 && is_device());
  CHECK(::fstat(fd, &status) == 0 && is_device() && (status.st_mode & 0777U) == 0666);
  CHECK(::fstatat(AT_FDCWD, path.c_str(), &status, 0) == 0 && is_device());
  CHECK(::fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 && is_device());
  const int folder = ::open(mount.c_str(), O_PATH | O_DIRECTORY);
  CHECK(::fstatat(folder, "device", &status, 0) == 0 && is_device());
  const int handle = ::open(path.c_str(), O_PATH);
  CHECK(::fstat(handle, &status) == 0 && is_device());
  struct statx extended {};
  CHECK(::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &extended) == 0 && S_ISCHR(extended.stx_mode));
  CHECK(extended.stx_rdev_major == 14 && extended.stx_rdev_minor == 3);
  struct stat64 large {};
  CHECK(::fstat64(fd, &large) == 0 && S_ISCHR(large.st_mode));
  std::array<char, 32> name{"/tmp/dmmap-looks-XXXXXX"};
  CHECK(::mkdtemp(name.data()) != nullptr);
  const std::string pointer = std::string(name.data()) + "/dsp";
  CHECK(::symlink(path.c_str(), pointer.c_str()) == 0);
  CHECK(::stat(pointer.c_str(), &status) == 0 && is_device());
  CHECK(::lstat(pointer.c_str(), &status) == 0 && S_ISLNK(status.st_mode));
  CHECK(::unlink(pointer.c_str()) == 0 && ::rmdir(name.data()) == 0);
  CHECK(::stat((mount + "/duplex").c_str(), &status) == 0 && S_ISREG(status.st_mode));
}

void looks_as_it_is(const std::string& mount) {
  struct stat status {};
  CHECK(::stat((mount + "/device").c_str(), &status) == 0 && S_ISREG(status.st_mode));
}

}  // namespace

const Entry kPlacement[] = {{"fixed", fixed}, {"taken_away", taken_away},         {"moved", moved},
                            {"looks", looks}, {"looks_as_it_is", looks_as_it_is}, {nullptr, nullptr}};

}  // namespace client
