// Who shares what with whom, by request, as the server's answers say.
#include "preload/client/client.h"

namespace client {

namespace {

void duplex(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  const int other = open_device(mount, "duplex");
  char* const out = map(fd, 2 * kPage);
  char* const again = map(other, 2 * kPage);
  char* const in = map(fd, 2 * kPage, PROT_READ);
  CHECK(std::strcmp(out, "playback") == 0 && std::strcmp(in, "capture") == 0);
  out[100] = 1;
  CHECK(again[100] == 1 && in[100] == 0);
  char* const second_page = map(fd, kPage, kReadWrite, kPage);
  out[kPage + 7] = 2;
  CHECK(second_page[7] == 2);
}

void fresh(const std::string& mount) {
  const int fd = open_device(mount, "fresh");
  char* const one = map(fd, kPage);
  char* const two = map(fd, kPage);
  CHECK(std::strcmp(one, "fresh one") == 0 && std::strcmp(two, "fresh one") == 0);
  one[0] = 'F';
  CHECK(two[0] == 'f');
  CHECK_REFUSED(::mmap(nullptr, (1U << 20U) + 1, kReadWrite, MAP_SHARED, fd, 0), ENXIO);
  CHECK_REFUSED(::mremap(one, kPage, 2 * kPage, MREMAP_MAYMOVE), EFAULT);
  CHECK(one[0] == 'F');
  char* const long_one = map(fd, 4 * kPage);
  CHECK(::mremap(long_one, 4 * kPage, kPage, 0) == long_one);
  CHECK(long_one[0] == 'f' && !can_touch(long_one + kPage));
}

void access(const std::string& mount) {
  const int reader = open_device(mount, "duplex", O_RDONLY);
  CHECK_REFUSED(::mmap(nullptr, kPage, kReadWrite, MAP_SHARED, reader, 0), EACCES);
  char* const in = map(reader, kPage, PROT_READ);
  CHECK(::mprotect(in, kPage, kReadWrite) == -1 && errno == EACCES);
  char* const copy = map_at(nullptr, reader, kPage, kReadWrite, MAP_PRIVATE);
  copy[0] = 'C';
  CHECK(std::strcmp(copy, "Capture") == 0 && std::strcmp(in, "capture") == 0);
  const int writer = open_device(mount, "duplex", O_WRONLY);
  CHECK_REFUSED(::mmap(nullptr, kPage, PROT_WRITE, MAP_SHARED, writer, 0), EACCES);
  // What was granted for reading alone isn't written by way of mprotect, though the file is open for writing.
  const int both = open_device(mount, "duplex");
  char* const granted = map(both, kPage, PROT_READ);
  CHECK(::mprotect(granted, kPage, kReadWrite) == -1 && errno == EACCES);
  // Of an ordinary file it may.
  const int file = open_device(mount, "file");
  char* const ordinary = map(file, kPage, PROT_READ);
  CHECK(::mprotect(ordinary, kPage, kReadWrite) == 0);
  ordinary[0] = 'x';
  char byte = 0;
  CHECK(::pread(file, &byte, 1, 0) == 1 && byte == 'x');
}

void arguments(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  CHECK_REFUSED(::mmap(nullptr, 0, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
  CHECK_REFUSED(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 1), EINVAL);
  CHECK_REFUSED(::mmap(nullptr, kPage, PROT_READ, 0, fd, 0), EINVAL);
  constexpr off_t kFar = 0x7ffffffffffff000;
  CHECK_REFUSED(::mmap(nullptr, 2 * kPage, PROT_READ, MAP_SHARED, fd, kFar), EOVERFLOW);
  CHECK_REFUSED(::mmap(nullptr, ~std::size_t{0} - 2 * kPage, PROT_READ, MAP_SHARED, fd, 0), EOVERFLOW);
  CHECK_REFUSED(::mmap(nullptr, std::size_t{1} << 50U, PROT_READ, MAP_SHARED, fd, 0), ENXIO);
  CHECK_REFUSED(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 1 << 30), ENXIO);
  // The last page of the region, and not one more.
  map(fd, kPage, PROT_READ, (1 << 20) - static_cast<off_t>(kPage));
  CHECK_REFUSED(::mmap(nullptr, 2 * kPage, PROT_READ, MAP_SHARED, fd, (1 << 20) - static_cast<off_t>(kPage)), ENXIO);
  map(fd, 1, PROT_READ);  // is a page
}

// "mosaic": page 0 of one region, twice page 1 of another, page 2 of the first.
void pieces(const std::string& mount) {
  const int fd = open_device(mount, "mosaic");
  char* const whole = map(fd, 4 * kPage);
  const volatile char* const watched = whole;  // as one object it has no two places that are one
  CHECK(std::strcmp(whole, "a0") == 0 && std::strcmp(whole + kPage, "b1") == 0);
  CHECK(std::strcmp(whole + 2 * kPage, "b1") == 0 && std::strcmp(whole + 3 * kPage, "a2") == 0);
  whole[kPage + 5] = 5;
  CHECK(watched[2 * kPage + 5] == 5);
  // Over something that is there, and not over something that is to stay.
  char* const taken = map_at(nullptr, -1, 4 * kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS);
  CHECK_REFUSED(::mmap(taken, 4 * kPage, kReadWrite, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), EEXIST);
  CHECK(map_at(taken, fd, 4 * kPage, kReadWrite, MAP_SHARED | MAP_FIXED) == taken);
  CHECK(taken[2 * kPage + 5] == 5 && std::strcmp(taken + 3 * kPage, "a2") == 0);
  unmap(whole, 4 * kPage);
  CHECK(std::strcmp(taken, "a0") == 0);
}

}  // namespace

const Entry kSharing[] = {{"duplex", duplex},       {"fresh", fresh},   {"access", access},
                          {"arguments", arguments}, {"pieces", pieces}, {nullptr, nullptr}};

}  // namespace client
