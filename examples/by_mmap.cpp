// Two files that answer each mmap() by itself, of programs that ask: start them with `dmmap run`.
//   duplex   all writable mappings share one region, all read-only ones another
//   fresh    each mapping is a region of its own, of 1 MiB at most, and may not grow
//
//   by_mmap /mnt &
//   dmmap run python3 -c 'import mmap; f = open("/mnt/fresh", "r+b"); print(mmap.mmap(f.fileno(), 4096)[:9])'
#include <dmmap/device.h>
#include <dmmap/session.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

using dmmap::Grant, dmmap::MapRequest, dmmap::Result, dmmap::SharedRegion;

constexpr std::uint64_t kMost = 1 << 20;

Result<std::shared_ptr<SharedRegion>> named_region(const std::string& name, std::uint64_t size) {
  static std::atomic<std::uint64_t> next{1};
  auto region = SharedRegion::create({.id = {next++}, .size = size, .name = name});
  return region ? (std::memcpy((*region)->bytes().data(), name.data(), name.size()), region) : region;
}

class Duplex : public dmmap::Stream {
 public:
  Result<Grant> map(const MapRequest& request) override {
    static const auto writers = named_region("playback", kMost);
    static const auto readers = named_region("capture", kMost);
    const auto& region = request.write ? writers : readers;
    return region ? Result<Grant>(Grant{.region = *region, .offset = request.offset}) : tl::unexpected(region.error());
  }
};

class Fresh : public dmmap::Stream {
 public:
  Result<Grant> map(const MapRequest& request) override {
    if (request.length.value_or(0) > kMost || request.offset != 0) {
      return dmmap::fail(ENXIO, "1 MiB is the most");
    }
    const auto region = named_region("fresh one", request.length.value_or(kMost));
    return region ? Result<Grant>(Grant{.region = *region, .may_grow = false}) : tl::unexpected(region.error());
  }
};

int main(int argc, char** argv) {
  if (argc != 2) {
    return std::fprintf(stderr, "usage: by_mmap MOUNTPOINT\n"), 2;
  }
  dmmap::DeviceFilesystem devices;
  (void)devices.add({.name = "duplex", .size = kMost}, [](const auto&) { return std::make_shared<Duplex>(); });
  (void)devices.add({.name = "fresh", .size = kMost}, [](const auto&) { return std::make_shared<Fresh>(); });
  auto session = dmmap::Session::mount(devices, {.mount = {.mountpoint = argv[1]}});
  const auto ended = session ? session->wait_or_signal() : tl::unexpected(session.error());
  return ended ? 0 : (std::fprintf(stderr, "by_mmap: %s\n", ended.error().message.c_str()), 1);
}
