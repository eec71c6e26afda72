// One file, `buffer`: each open maps memory of its own, 64 KiB of zeros at first.
//
//   private_buffers /mnt &
//   exec 3<>/mnt/buffer 4<>/mnt/buffer; echo one >&3; echo two >&4     # two buffers
#include <dmmap/device.h>
#include <dmmap/session.h>

#include <atomic>
#include <cstdio>

constexpr std::uint64_t kSize = 65536;

class Opened : public dmmap::Stream {
 public:
  dmmap::Result<dmmap::Grant> map(const dmmap::MapRequest& request) override {
    return region_ ? dmmap::Result<dmmap::Grant>(dmmap::Grant{.region = *region_, .offset = request.offset})
                   : tl::unexpected(region_.error());
  }

 private:
  static inline std::atomic<std::uint64_t> next{1};
  const dmmap::Result<std::shared_ptr<dmmap::SharedRegion>> region_ =
      dmmap::SharedRegion::create({.id = {next++}, .size = kSize, .name = "private_buffer"});
};

int main(int argc, char** argv) {
  if (argc != 2) {
    return std::fprintf(stderr, "usage: private_buffers MOUNTPOINT\n"), 2;
  }
  dmmap::DeviceFilesystem devices;
  (void)devices.add({.name = "buffer", .size = kSize}, [](const auto&) { return std::make_shared<Opened>(); });
  auto session = dmmap::Session::mount(devices, {.mount = {.mountpoint = argv[1]}});
  const auto ended = session ? session->wait_or_signal() : tl::unexpected(session.error());
  return ended ? 0 : (std::fprintf(stderr, "private_buffers: %s\n", ended.error().message.c_str()), 1);
}
