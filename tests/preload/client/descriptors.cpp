// Programs that close what they find, run out of descriptors, or are handed them.
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "preload/client/client.h"

namespace client {

namespace {

std::set<int> open_descriptors() {
  std::set<int> numbers;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    numbers.insert(std::stoi(each.path().filename().string()));
  }
  return numbers;
}

// In the ways in which programs close everything; the mapping lives, and is the server's until it's unmapped.
void close_all(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  char* const mapped = map(fd, kPage);
  for (int number = 3; number < 2048; ++number) {
    ::close(number);
  }
  ::closefrom(3);
  CHECK(::close_range(3, ~0U, 0) == 0);
  CHECK(::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0);
  for (const int number : open_descriptors()) {
    if (number > 2) {
      ::close(number);
    }
  }
  CHECK(mapped[0] == 'p');
  const int marks = open_device(mount, "marks");
  CHECK(marks == 3);
  mark(marks, "unmaps");
  unmap(mapped, kPage);
}

// A number that is held is what the program wants: it gets it.
void wanted_number(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  const std::set<int> before = open_descriptors();
  char* const mapped = map(fd, kPage);
  std::set<int> held;
  const std::set<int> after = open_descriptors();
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::inserter(held, held.end()));
  // The one that the listing itself was read by is in both.
  for (const int number : held) {
    CHECK(number > 100);
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(::close(number) == -1 && errno == EBADF);
    CHECK(::dup2(fd, number) == number);
    CHECK(::pwrite(number, "dup", 3, 0) == 3);
    CHECK(::dup3(2, number, O_CLOEXEC) == number);
    CHECK(::close(number) == 0);
  }
  CHECK(!held.empty() && mapped[0] == 'p');
  mark(fd, "unmaps");
  unmap(mapped, kPage);
}

void lowest_numbers(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  map(fd, kPage);
  map(fd, kPage);
  CHECK(::open("/dev/null", O_RDONLY) == fd + 1);
}

void none_left(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  rlimit limit{};
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 40;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  std::array<char*, 64> mapped{};
  unsigned count = 0;
  while (count < mapped.size()) {
    void* const one = ::mmap(nullptr, kPage, kReadWrite, MAP_SHARED, fd, 0);
    if (one == MAP_FAILED) {
      CHECK(errno == EMFILE);
      break;
    }
    mapped[count++] = static_cast<char*>(one);
  }
  CHECK(count > 20 && count < 40);
  char* const target = map_at(nullptr, -1, kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS);
  target[0] = 't';
  CHECK_REFUSED(::mmap(target, kPage, kReadWrite, MAP_SHARED | MAP_FIXED, fd, 0), EMFILE);
  CHECK(target[0] == 't');
  unmap(mapped[0], kPage);
  CHECK(map(fd, kPage)[0] == 'p');
}

// By dup, by a socket, by fopen: the file is the same.
void handed(const std::string& mount) {
  const int fd = open_device(mount, "fresh");
  std::array<int, 2> ends{};
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  CHECK(::sendmsg(ends[0], &message, 0) == 1);
  CHECK(::recvmsg(ends[1], &message, 0) == 1);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  std::FILE* const stream = std::fopen((mount + "/fresh").c_str(), "r+");
  CHECK(stream != nullptr);
  // A number that was a foreign file's is this one's now.
  const int foreign = ::open("/proc/self/exe", O_RDONLY);
  map_at(nullptr, foreign, kPage, PROT_READ, MAP_PRIVATE);
  CHECK(::dup2(fd, foreign) == foreign);
  const int again = ::dup(fd);
  for (const int each : {received, ::fileno(stream), foreign, again, ::fcntl(fd, F_DUPFD, 50)}) {
    CHECK(each >= 0);
    CHECK(std::strcmp(map(each, kPage), "fresh one") == 0);
  }
}

}  // namespace

const Entry kDescriptors[] = {{"close_all", close_all},
                              {"wanted_number", wanted_number},
                              {"lowest_numbers", lowest_numbers},
                              {"none_left", none_left},
                              {"handed", handed},
                              {nullptr, nullptr}};

}  // namespace client
