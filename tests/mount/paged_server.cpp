// A server of one paged file, `f`, whose pages are those of a file on disk: paged_server MOUNTPOINT BACKING SIZE
// [CALL], as a character device with /dev/NAME in MOUNTPOINT's place; or of a tree of files in memory: paged_server
// MOUNTPOINT
//
// With CALL (read, write, discard, unmap, resize, revoke, push, later) it gets stuck in that call, on purpose: a fault
// or a writeback that is never answered is in its way. It says "in the call" then, and is to be killed.
#include <dmmap/device.h>
#include <dmmap/session.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mount/paged_directory.h"

namespace {

class DiskPages : public dmmap::PageSource {
 public:
  explicit DiskPages(int fd) : fd_(fd) {}
  void fault(dmmap::PageRange wanted, dmmap::FaultReply reply) override {
    if (sticks) {
      stuck_.emplace_back(std::make_shared<dmmap::FaultReply>(std::move(reply)));
      return;
    }
    std::vector<std::byte> bytes(wanted.count * dmmap::page_size());
    const auto offset = static_cast<off_t>(wanted.first * dmmap::page_size());
    if (::pread(fd_, bytes.data(), bytes.size(), offset) < 0) {
      reply.error(errno);
    } else {
      reply.ok(static_cast<std::uint64_t>(offset), bytes);
    }
  }
  void writeback(std::uint64_t offset, std::span<const std::byte> bytes, dmmap::WritebackReply reply) override {
    if (sticks) {
      stuck_.emplace_back(std::make_shared<dmmap::WritebackReply>(std::move(reply)));
      return;
    }
    const auto put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put == static_cast<ssize_t>(bytes.size())) {
      reply.ok();
    } else {
      reply.error(put < 0 ? errno : ENOSPC);
    }
  }
  void discarded(dmmap::PageRange pages) override {
    const auto page = dmmap::page_size();
    ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(pages.first * page),
                static_cast<off_t>(pages.count * page));
  }
  void resized(std::uint64_t size) override { static_cast<void>(!::ftruncate(fd_, static_cast<off_t>(size))); }

  std::atomic<bool> sticks{false};

 private:
  int fd_;
  std::vector<std::shared_ptr<void>> stuck_;  // one thread serves
};

void get_stuck(const std::string& call, dmmap::PagedRegion& region) {
  std::vector<std::byte> bytes(8);
  if (call == "read") {
    static_cast<void>(region.read(0, bytes));
  } else if (call == "write") {
    static_cast<void>(region.write(0, bytes));
  } else if (call == "discard") {
    static_cast<void>(region.discard({0, 1}));
  } else if (call == "unmap") {
    static_cast<void>(region.unmap({0, 1}));
  } else if (call == "resize") {
    static_cast<void>(region.resize(10));
  } else if (call == "revoke") {
    static_cast<void>(region.revoke());
  } else {
    static_cast<void>(region.unmap_later({0, 1}).wait());
  }
}

int serve_directory(const char* mountpoint) {
  dmmap::testing::PagedDirectory files;
  auto session = dmmap::Session::mount(files, {.mount = {.mountpoint = mountpoint, .allow_other = true}});
  if (!session) {
    return std::fprintf(stderr, "paged_server: %s\n", session.error().message.c_str()), 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  return session->wait_or_signal() ? 0 : 1;
}

dmmap::Result<dmmap::Session> begin(dmmap::DeviceFilesystem& files, const std::string& place) {
  const std::string devices = "/dev/";
  dmmap::SessionOptions options{.max_write = 1 << 18};
  if (place.rfind(devices, 0) == 0) {
    return dmmap::Session::device(files, {.name = place.substr(devices.size()), .node = files.node_of("f").value()},
                                  std::move(options));
  }
  options.mount.mountpoint = place;
  return dmmap::Session::mount(files, std::move(options));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) {
    return serve_directory(argv[1]);
  }
  if (argc < 4) {
    return std::fprintf(stderr, "usage: paged_server MOUNTPOINT [BACKING SIZE [CALL]]\n"), 2;
  }
  const int fd = ::open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);  // NOLINT(*-vararg)
  const std::uint64_t size = std::strtoull(argv[3], nullptr, 0);
  const auto source = std::make_shared<DiskPages>(fd);
  const auto region = *dmmap::PagedRegion::create({.id = {1}, .size = size, .max_size = size, .name = "f"}, source);
  dmmap::DeviceFilesystem files;
  if (!files.add_file({.name = "f"}, region)) {
    return 1;
  }
  auto session = begin(files, argv[1]);
  if (!session) {
    return std::fprintf(stderr, "paged_server: %s\n", session.error().message.c_str()), 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  if (argc > 4) {
    // A line on standard input: a client has page 0 in its mapping, dirty or absent as the call needs it.
    std::thread([&, call = std::string(argv[4])] {
      static_cast<void>(std::getchar());
      source->sticks = true;
      std::thread([] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        std::puts("in the call");
        std::fflush(stdout);
      }).detach();
      get_stuck(call, *region);
      std::puts("the call returned");
      std::fflush(stdout);
    }).detach();
  }
  const auto ended = session->wait_or_signal();
  return ended ? 0 : (std::fprintf(stderr, "paged_server: %s\n", ended.error().message.c_str()), 1);
}
