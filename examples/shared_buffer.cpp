// One file, `buffer`: all who open it map the same memory, and read(2) and write(2) see it too.
//
//   shared_buffer /mnt --size 65536 &
//   python3 -c 'import mmap; f = open("/mnt/buffer", "r+b"); m = mmap.mmap(f.fileno(), 0); m[:5] = b"hello"'
//   head -c 5 /mnt/buffer      # hello
#include <dmmap/device.h>
#include <dmmap/session.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

class Opened : public dmmap::Stream {
 public:
  explicit Opened(std::shared_ptr<dmmap::Region> region) : region_(std::move(region)) {}
  dmmap::Result<dmmap::Grant> map(const dmmap::MapRequest& request) override {
    return dmmap::Grant{.region = region_, .offset = request.offset};
  }

 private:
  std::shared_ptr<dmmap::Region> region_;
};

int main(int argc, char** argv) {
  const bool sized = argc == 4 && std::string_view(argv[2]) == "--size";
  if (argc != 2 && !sized) {
    return std::fprintf(stderr, "usage: shared_buffer MOUNTPOINT [--size BYTES]\n"), 2;
  }
  const auto region = dmmap::SharedRegion::create(
      {.id = {1}, .size = sized ? std::strtoull(argv[3], nullptr, 0) : 65536, .name = "shared_buffer"});
  if (!region) {
    return std::fprintf(stderr, "shared_buffer: %s\n", region.error().message.c_str()), 1;
  }
  dmmap::DeviceFilesystem devices;
  (void)devices.add({.name = "buffer", .size = (*region)->size()},
                    [&](const auto&) { return std::make_shared<Opened>(*region); });
  auto session = dmmap::Session::mount(devices, {.mount = {.mountpoint = argv[1]}});
  const auto ended = session ? session->wait_or_signal() : tl::unexpected(session.error());
  return ended ? 0 : (std::fprintf(stderr, "shared_buffer: %s\n", ended.error().message.c_str()), 1);
}
