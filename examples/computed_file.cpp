// One read-only file, `terabyte`, of 2^40 bytes that are nowhere: each page is computed when somebody touches it. The
// 8-byte word at offset 8*i is i times an odd constant, modulo 2^64.
//
//   computed_file /mnt &
//   od -A d -t u8 -j 1099511627768 /mnt/terabyte
#include <dmmap/device.h>
#include <dmmap/session.h>

#include <cstdio>
#include <vector>

class Computed : public dmmap::PageSource {
 public:
  void fault(dmmap::PageRange wanted, dmmap::FaultReply reply) override {
    const std::uint64_t offset = wanted.first * dmmap::page_size();
    std::vector<std::uint64_t> words(wanted.count * dmmap::page_size() / sizeof(std::uint64_t));
    std::uint64_t word = offset / sizeof(std::uint64_t) * 0x9E3779B97F4A7C15U;
    for (std::uint64_t& each : words) {
      each = word;
      word += 0x9E3779B97F4A7C15U;
    }
    reply.ok(offset, std::as_bytes(std::span(words)));
  }
};

int main(int argc, char** argv) {
  if (argc != 2) {
    return std::fprintf(stderr, "usage: computed_file MOUNTPOINT\n"), 2;
  }
  const auto region = dmmap::PagedRegion::create({.id = {1}, .size = std::uint64_t{1} << 40, .name = "terabyte"},
                                                 std::make_shared<Computed>());
  dmmap::DeviceFilesystem files;
  (void)files.add_file({.name = "terabyte", .mode = 0444}, *region);
  auto session = dmmap::Session::mount(files, {.mount = {.mountpoint = argv[1], .default_permissions = true}});
  const auto ended = session ? session->wait_or_signal() : tl::unexpected(session.error());
  return ended ? 0 : (std::fprintf(stderr, "computed_file: %s\n", ended.error().message.c_str()), 1);
}
