// One file, `counter`, of a page whose first 8 bytes count the tenths of a second since the server's start. The server
// pushes each number with one call to all who map the page: they see it change without a system call.
//
//   live_counter /mnt &
//   python3 -c 'import mmap, struct, time
//   m = mmap.mmap(open("/mnt/counter").fileno(), 4096, prot=mmap.PROT_READ)
//   while True: print(struct.unpack("Q", m[:8])[0]); time.sleep(0.5)'
#include <dmmap/device.h>
#include <dmmap/memory_pages.h>
#include <dmmap/session.h>

#include <chrono>
#include <cstdio>
#include <thread>

int main(int argc, char** argv) {
  if (argc != 2) {
    return std::fprintf(stderr, "usage: live_counter MOUNTPOINT\n"), 2;
  }
  const auto pages = dmmap::MemoryPages::create(dmmap::page_size());
  const auto region = dmmap::PagedRegion::create({.id = {1}, .size = dmmap::page_size(), .name = "counter"}, *pages);
  dmmap::DeviceFilesystem files;
  (void)files.add_file({.name = "counter", .mode = 0444}, *region);
  auto session = dmmap::Session::mount(files, {.mount = {.mountpoint = argv[1], .default_permissions = true}});
  if (!session) {
    return std::fprintf(stderr, "live_counter: %s\n", session.error().message.c_str()), 1;
  }
  std::jthread counting([&](const std::stop_token& stop) {
    for (std::uint64_t tenths = 0; !stop.stop_requested(); ++tenths) {
      const auto pushed = (*region)->write(0, std::as_bytes(std::span(&tenths, 1)));
      if (!pushed) {
        std::fprintf(stderr, "live_counter: %s\n", pushed.error().message.c_str());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  return session->wait_or_signal() ? 0 : 1;
}
