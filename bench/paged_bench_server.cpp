// The server that paged_bench measures: one PagedRegion, its pages in memory.
#include <dmmap/device.h>
#include <dmmap/memory_pages.h>
#include <dmmap/session.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "bench/page_server.h"

namespace {

using dmmap::bench::Command;
using dmmap::bench::kPage;

// Memory whose faults bring the pages after the one that's wanted too.
class Neighbourhood : public dmmap::PageSource {
 public:
  Neighbourhood(std::shared_ptr<dmmap::MemoryPages> pages, std::size_t push) : pages_(std::move(pages)), push_(push) {}

  void fault(dmmap::PageRange wanted, dmmap::FaultReply reply) override {
    const auto bytes = pages_->bytes();
    const std::size_t begin = wanted.first * kPage;
    const std::size_t end = std::min(bytes.size(), std::max(begin + push_, begin + wanted.count * kPage));
    reply.ok(begin, bytes.subspan(begin, end - begin));
  }
  void writeback(std::uint64_t offset, std::span<const std::byte> bytes, dmmap::WritebackReply reply) override {
    pages_->writeback(offset, bytes, std::move(reply));
  }

 private:
  const std::shared_ptr<dmmap::MemoryPages> pages_;
  const std::size_t push_;
};

int code_of(const dmmap::Result<void>& result) {
  return result ? 0 : result.error().code;
}

// As a server would fill its memory before it mounts.
void fill(const std::shared_ptr<dmmap::PageSource>& source, std::size_t size) {
  std::vector<std::byte> bytes(size);
  dmmap::bench::number_pages(bytes);
  const auto before = dmmap::PagedRegion::create({.id = {2}, .size = size}, source).value();
  static_cast<void>(before->write(0, bytes));
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = dmmap::bench::parse_options(argc, argv);
  const auto pages = dmmap::MemoryPages::create(options.size).value();
  std::shared_ptr<dmmap::PageSource> source = pages;
  if (options.push > 0) {
    source = std::make_shared<Neighbourhood>(pages, options.push);
  }
  fill(source, options.size);
  const auto region = dmmap::PagedRegion::create({.id = {1}, .size = options.size, .name = "bench"}, source).value();
  dmmap::DeviceFilesystem files;
  static_cast<void>(files.add_file({.name = "f"}, region));
  dmmap::SessionOptions session_options;
  session_options.mount.mountpoint = options.mountpoint;
  session_options.threads = options.threads;
  session_options.max_readahead = options.readahead;
  session_options.writeback_cache = options.writeback_cache;
  auto session = dmmap::Session::mount(files, std::move(session_options));
  if (!session) {
    fmt::print(stderr, "paged_bench_server: {}\n", session.error().message);
    return 1;
  }
  std::vector<std::byte> data(std::size_t{1} << 20U);
  dmmap::bench::serve_commands([&](const Command& command) {
    const std::size_t size = std::min<std::size_t>(command.size, data.size());
    switch (command.verb) {
      case Command::Verb::unmap:
        return code_of(region->unmap({command.offset / kPage, command.size / kPage}));
      case Command::Verb::write:
        return code_of(region->write(command.offset, std::span(data).first(size)));
      case Command::Verb::read:
        return code_of(region->read(command.offset, std::span(data).first(size)));
    }
    return EINVAL;
  });
  return 0;
}
