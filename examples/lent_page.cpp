// One file, `page`, that is lent: who touches it finds "loan N", and may store into it. Each time that Enter is pressed
// (a line comes on standard input) the server takes the page back from every address space, says what was stored into
// it, and who touches it next, through the same mapping, gets the next loan.
//
//   mkfifo in; lent_page /mnt < in & exec 3> in
//   head -c 7 /mnt/page; echo >&3; head -c 7 /mnt/page
#include <dmmap/device.h>
#include <dmmap/session.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>

class Loans : public dmmap::PageSource {
 public:
  void fault(dmmap::PageRange /*wanted*/, dmmap::FaultReply reply) override {
    std::string page = "loan " + std::to_string(++loans_) + "\n";
    page.resize(dmmap::page_size());
    reply.ok(0, std::as_bytes(std::span(page)));
  }
  void writeback(std::uint64_t /*offset*/, std::span<const std::byte> bytes, dmmap::WritebackReply reply) override {
    std::string text(bytes.size(), '\0');
    std::transform(bytes.begin(), bytes.end(), text.begin(), [](std::byte each) { return static_cast<char>(each); });
    std::cout << "came back: " << text.c_str() << std::endl;  // up to the first NUL
    reply.ok();
  }

 private:
  std::atomic<int> loans_{0};
};

int main(int argc, char** argv) {
  if (argc != 2) {
    return std::fprintf(stderr, "usage: lent_page MOUNTPOINT\n"), 2;
  }
  const auto region =
      dmmap::PagedRegion::create({.id = {1}, .size = dmmap::page_size(), .name = "page"}, std::make_shared<Loans>());
  dmmap::DeviceFilesystem files;
  (void)files.add_file({.name = "page"}, *region);
  auto session = dmmap::Session::mount(files, {.mount = {.mountpoint = argv[1]}});
  if (!session) {
    return std::fprintf(stderr, "lent_page: %s\n", session.error().message.c_str()), 1;
  }
  std::thread([region = *region] {  // ends with the process, as it may be waiting for input then
    for (std::string line; std::getline(std::cin, line);) {
      const auto taken = region->unmap({0, 1});
      std::cout << (taken ? "taken back" : taken.error().message) << std::endl;
    }
  })
      .detach();
  return session->wait_or_signal() ? 0 : 1;
}
