// The least that shows that the installed headers, library and dependencies fit together: a shared region, a device
// filesystem, and a mount that fails with a reason, since its mount point doesn't exist.
#include <dmmap/device.h>
#include <dmmap/region.h>
#include <dmmap/session.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <utility>

int main() {
  const auto region = dmmap::SharedRegion::create({.id = {1}, .size = 4096, .name = "consumer"});
  const std::array<std::byte, 3> written{std::byte{1}, std::byte{2}, std::byte{3}};
  std::array<std::byte, 3> read{};
  if (!region || !(*region)->write(100, written) || !(*region)->read(100, read) || read != written) {
    std::fprintf(stderr, "a region doesn't keep what is written\n");
    return 1;
  }
  dmmap::DeviceFilesystem devices;
  const auto added = devices.add({.name = "buffer", .size = 4096},
                                 [](const dmmap::OpenRequest&) -> dmmap::Result<std::shared_ptr<dmmap::Stream>> {
                                   return std::make_shared<dmmap::Stream>();
                                 });
  if (!added) {
    std::fprintf(stderr, "add: %s\n", added.error().message.c_str());
    return 1;
  }
  dmmap::SessionOptions options;
  options.mount.mountpoint = "/nonexistent/dmmap";
  const auto session = dmmap::Session::mount(devices, std::move(options));
  if (session) {
    std::fprintf(stderr, "mounted on a folder that doesn't exist\n");
    return 1;
  }
  std::printf("dmmap works here; a mount on nothing is refused: %s\n", session.error().message.c_str());
  return 0;
}
