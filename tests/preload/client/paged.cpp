// Pages that the server supplies when they're touched, takes back when they're dirty, changes and takes away.
#include "preload/client/client.h"

namespace client {

namespace {

// Looks until the server's doing shows, which is a matter of moments.
void wait_for(const volatile char* place, char wanted) {
  for (int attempt = 0; attempt < 5000 && *place != wanted; ++attempt) {
    ::usleep(1000);
  }
  CHECK(*place == wanted);
}

void paged(const std::string& mount) {
  const int fd = open_device(mount, "paged");
  char* const one = map(fd, 4 * kPage);
  char* const other = map(fd, kPage, PROT_READ, 2 * kPage);
  CHECK(one[0] == 'A' && one[kPage] == 'B' && other[0] == 'C');
  one[2 * kPage + 9] = 9;
  CHECK(other[9] == 9);
  CHECK(in_child([one] { one[3 * kPage] = 'd'; }) == 0);
  CHECK(one[3 * kPage] == 'd');
  CHECK(::msync(one, 4 * kPage, MS_SYNC) == 0);
  mark(fd, "synced");
  // "write": the server writes an 'x' at 100; "unmap": takes page 0 away, and has it begin with a '!' then.
  mark(fd, "write");
  wait_for(one + 100, 'x');
  one[50] = 5;
  mark(fd, "unmap");
  wait_for(one, '!');
  CHECK(one[50] == 5);
  CHECK(::close(fd) == 0);
  one[60] = 6;
  unmap(one, 4 * kPage);
  CHECK(other[9] == 9);
  unmap(other, kPage);
  const int again = open_device(mount, "paged");
  mark(again, "all gone");
  CHECK(map(again, kPage)[60] == 6);
}

void paged_refused(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  CHECK_REFUSED(::mmap(nullptr, kPage, kReadWrite, MAP_SHARED, fd, 0), ENODEV);
}

// A file that all share: mapped by grant and read by read(2) it's the same.
void paged_file(const std::string& mount) {
  const int fd = open_device(mount, "pages");
  char* const mapped = map(fd, 2 * kPage);
  char byte = 0;
  CHECK(::pread(fd, &byte, 1, kPage) == 1 && byte == 'B' && mapped[kPage] == 'B');
  mapped[kPage + 1] = 'm';
  CHECK(::pread(fd, &byte, 1, kPage + 1) == 1 && byte == 'm');
  CHECK(::pwrite(fd, "w", 1, kPage + 2) == 1 && mapped[kPage + 2] == 'w');
  // Beyond the end there's nothing, until the file is longer.
  char* const beyond = map(fd, kPage, kReadWrite, 4 * kPage);
  CHECK(!can_touch(beyond));
  CHECK(::ftruncate(fd, 5 * kPage) == 0 && can_touch(beyond) && beyond[0] == 0);
}

// The same of a character device, where read(2) and write(2) have no place (fs/fuse/cuse.c, cuse_read_iter).
void paged_device(const std::string& mount) {
  const int fd = open_device(mount, "pages");
  char* const mapped = map(fd, 2 * kPage);
  char bytes[3] = {};
  CHECK(::read(fd, bytes, 1) == 1 && bytes[0] == 'A' && mapped[0] == 'A');
  mapped[1] = 'm';
  CHECK(::read(fd, bytes, 2) == 2 && bytes[1] == 'm');
  CHECK(::write(fd, "www", 3) == 3 && mapped[2] == 'w' && mapped[0] == 'w');
  CHECK(!can_touch(map(fd, kPage, kReadWrite, 4 * kPage)));
}

}  // namespace

const Entry kPaged[] = {{"paged", paged},
                        {"paged_refused", paged_refused},
                        {"paged_device", paged_device},
                        {"paged_file", paged_file},
                        {nullptr, nullptr}};

}  // namespace client
