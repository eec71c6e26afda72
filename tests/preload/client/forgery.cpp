// A client that speaks the protocol itself, and not as it should. It isn't started by `dmmap run`.
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <thread>

#include "preload/client/client.h"
#include "protocol/map_protocol.h"

namespace client {

namespace {

namespace map_ = dmmap::protocol::map;

map_::MapExchange ask(int fd, int prot, std::uint64_t length = kPage, std::uint64_t offset = 0) {
  map_::MapExchange exchange{};
  exchange.in.offset = offset;
  exchange.in.length = length;
  exchange.in.prot = static_cast<std::uint32_t>(prot);
  exchange.in.flags = MAP_SHARED;
  CHECK(::ioctl(fd, map_::kAsk, &exchange) == 0);
  return exchange;
}

std::string name_of(const std::string& mount, const map_::MapExchange& granted, unsigned file = 0) {
  char name[64];
  std::snprintf(name, sizeof name, "%s%016llx%016llx-%u", map_::kGrantPrefix,
                static_cast<unsigned long long>(granted.out.token[0]),
                static_cast<unsigned long long>(granted.out.token[1]), file);
  return mount + "/" + name;
}

// -errno, or a descriptor.
int try_open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

void names(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  const map_::MapExchange granted = ask(fd, PROT_READ);
  CHECK(granted.out.error == 0 && granted.out.files == 1 && granted.out.pieces == 1);
  const std::string name = name_of(mount, granted);
  // Somebody else's process, though it knows the name, and is of the same user.
  CHECK(in_child([&] { CHECK(try_open(name, O_RDONLY) == -ENOENT); }) == 0);
  // Not that name.
  map_::MapExchange wrong = granted;
  wrong.out.token[1] ^= 1U;
  CHECK(try_open(name_of(mount, wrong), O_RDONLY) == -ENOENT);
  CHECK(try_open(name_of(mount, granted, 1), O_RDONLY) == -ENOENT);
  CHECK(try_open(mount + "/" + map_::kGrantPrefix, O_RDONLY) == -ENOENT);
  CHECK(try_open(name + "0", O_RDONLY) == -ENOENT);
  // The kernel may ask how it looks between finding it and opening it.
  const int found = try_open(name, O_PATH);
  ::usleep(20000);
  struct stat status {};
  CHECK(::fstat(found, &status) == 0 && status.st_size == 1 << 20);
  // More than was granted, which spends the name.
  CHECK(try_open(name, O_RDWR) == -EACCES);
  CHECK(try_open(name, O_RDONLY) == -ENOENT);
  // By another thread of the process it may be opened, once.
  const std::string second = name_of(mount, ask(fd, PROT_READ));
  int opened = -1;
  std::thread([&] { opened = try_open(second, O_RDONLY); }).join();
  CHECK(opened >= 0);
  CHECK(try_open(second, O_RDONLY) == -ENOENT);
  CHECK(try_open("/proc/self/fd/" + std::to_string(opened), O_RDONLY) == -EACCES);
  CHECK(::mmap(nullptr, kPage, kReadWrite, MAP_SHARED, opened, 0) == MAP_FAILED && errno == EACCES);
  // What it's open for is to be mapped, and nothing else.
  char byte = 0;
  CHECK(::read(opened, &byte, 1) == -1);
  CHECK(::ioctl(opened, map_::kAsk, &wrong) == -1 && errno == ENOTTY);
  CHECK(::fchmod(opened, 0600) == -1 && ::ftruncate(opened, 0) == -1);
  CHECK(::fsetxattr(opened, "user.x", "x", 1, 0) == -1);
  // It's gone when it's closed, and wasn't linked to begin with.
  CHECK(::linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(opened)).c_str(), AT_FDCWD, (mount + "/x").c_str(),
                 AT_SYMLINK_FOLLOW) == -1);
}

void few_at_a_time(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  const std::string first = name_of(mount, ask(fd, PROT_READ));
  std::string latest;
  for (int more = 0; more < 8; ++more) {
    latest = name_of(mount, ask(fd, PROT_READ));
  }
  CHECK(try_open(first, O_RDONLY) == -ENOENT);  // the thread asked so often since that it won't come
  CHECK(try_open(latest, O_RDONLY) >= 0);
  // A name doesn't outlive the file that was asked about.
  const std::string third = name_of(mount, ask(fd, PROT_READ));
  CHECK(::close(fd) == 0);
  CHECK(try_open(third, O_RDONLY) == -ENOENT);
}

// Asks and never opens: more than the server keeps waiting.
void never_opens(const std::string& mount) {
  const int fd = open_device(mount, "fresh");
  for (int each = 0; each < 5000; ++each) {
    std::thread([fd] { CHECK(ask(fd, PROT_READ).out.error == 0); }).join();
  }
}

void nonsense(const std::string& mount) {
  const int reader = open_device(mount, "duplex", O_RDONLY);
  CHECK(ask(reader, kReadWrite).out.error == EACCES);
  CHECK(ask(open_device(mount, "duplex", O_WRONLY), PROT_READ).out.error == EACCES);
  const int fd = open_device(mount, "duplex");
  CHECK(ask(fd, PROT_READ, 0).out.error == EINVAL);
  CHECK(ask(fd, PROT_READ, kPage, 1).out.error == EINVAL);
  CHECK(ask(fd, PROT_READ, ~std::uint64_t{0}).out.error == EOVERFLOW);
  CHECK(ask(fd, PROT_READ, kPage, ~std::uint64_t{0} - kPage + 1).out.error == EOVERFLOW);
  CHECK(ask(fd, PROT_READ, std::uint64_t{1} << 62U, std::uint64_t{1} << 62U).out.error != 0);
  map_::MapExchange exchange{};
  exchange.in.length = kPage;
  for (const unsigned flags : {0U, 4U, 15U, unsigned{MAP_SHARED | MAP_ANONYMOUS}}) {
    exchange.in.flags = flags;
    exchange.out.error = 0;
    CHECK(::ioctl(fd, map_::kAsk, &exchange) == 0 && exchange.out.error == EINVAL);
  }
  CHECK(::ioctl(fd, map_::kAsk & ~(0x3fffU << 16U), &exchange) == -1 && errno == ENOTTY);  // no room for an answer
}

// As many grants as the server hands out: all of one kind, which are to be refused with CLIENT_ERROR.
void refused(const std::string& mount) {
  const int fd = open_device(mount, "odd");
  CHECK_REFUSED(::mmap(nullptr, 4 * kPage, kReadWrite, MAP_SHARED, fd, 0), std::atoi(std::getenv("CLIENT_ERROR")));
}

// Without anything that asks.
void plain(const std::string& mount) {
  const int fd = open_device(mount, "duplex");
  void* const mapped = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0);
  std::printf("%s\n", mapped == MAP_FAILED ? std::strerror(errno) : static_cast<char*>(mapped));
}

}  // namespace

const Entry kForgery[] = {{"names", names},
                          {"few_at_a_time", few_at_a_time},
                          {"never_opens", never_opens},
                          {"nonsense", nonsense},
                          {"refused", refused},
                          {"plain", plain},
                          {nullptr, nullptr}};

}  // namespace client
