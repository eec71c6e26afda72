// What it costs to be asked at each mmap: a mapping of a dmmap file beside one of a tmpfs file, and a foreign mapping
// with and without the preloaded library. As root:
//
//   build/release/bench/by_mmap_bench [ROUNDS]
//
// Each round runs a program twice, in turns which way comes first; the program times a number of mappings and prints
// the mean. The ratio is the median of the rounds' own ratios.
#include <dmmap/device.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/paired.h"
#include "mount/mounted.h"
#include "support/process.h"
#include "transport/unique_fd.h"

namespace {

using dmmap::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPage = 4096;

// The program that is timed: maps a page of the file, touches it if that's wanted, and unmaps it.
int time_mappings(const std::string& path, long count, bool touch) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));  // NOLINT(*-vararg)
  const auto begin = Clock::now();
  for (long each = 0; each < count; ++each) {
    void* const page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (page == MAP_FAILED) {  // NOLINT(*-cstyle-cast, performance-no-int-to-ptr)
      return 1;
    }
    if (touch) {
      *static_cast<volatile char*>(page) = 1;
    }
    ::munmap(page, kPage);
  }
  const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
  fmt::print("{}\n", took.count() / static_cast<double>(count));
  return 0;
}

struct Way {
  std::string path;
  bool preloaded = false;
  long count = 0;
  bool touch = false;
};

double microseconds_of(const Way& way) {
  std::vector<std::string> words{std::filesystem::read_symlink("/proc/self/exe").string(), "--time", way.path,
                                 std::to_string(way.count), way.touch ? "1" : "0"};
  if (way.preloaded) {
    words.insert(words.begin(), {DMMAP_PROGRAM, "run"});
  }
  const auto timed = dmmap::testing::run(words, std::chrono::seconds(60));
  if (timed.status != 0) {
    throw std::runtime_error("the timed program failed: " + timed.err);
  }
  return std::stod(timed.out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "--time") == 0) {
    return time_mappings(argv[2], std::atol(argv[3]), std::atoi(argv[4]) != 0);
  }
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 31;
  const auto region = dmmap::SharedRegion::create({.id = {1}, .size = kPage, .name = "bench"}).value();
  dmmap::DeviceFilesystem devices;
  static_cast<void>(devices.add({.name = "shared", .size = kPage}, [&](const dmmap::OpenRequest&) {
    return std::make_shared<dmmap::testing::RegionStream>(region);
  }));
  const dmmap::testing::TemporaryDirectory directory;
  dmmap::SessionOptions options;
  options.mount.mountpoint = directory.path().string();
  const auto session = dmmap::Session::mount(devices, std::move(options));
  if (!session) {
    fmt::print(stderr, "by_mmap_bench: {}\n", session.error().message);
    return 1;
  }
  const std::string tmpfs = "/dev/shm/dmmap-bench-" + std::to_string(::getpid());
  const UniqueFd file(::open(tmpfs.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));  // NOLINT(*-vararg)
  if (!file || ::ftruncate(file.get(), kPage) != 0) {
    fmt::print(stderr, "by_mmap_bench: no file in /dev/shm\n");
    return 1;
  }
  const std::string ours = (directory / "shared").string();
  constexpr long kMany = 200'000;
  constexpr long kFew = 2'000;
  fmt::print(
      "{} rounds, times in microseconds\n\n| what | this way, median | that way, median | ratio, median | ratio, "
      "quartiles |\n| --- | --- | --- | --- | --- |\n",
      rounds);
  const auto compare = [&](const char* what, const Way& one, const Way& other) {
    const dmmap::bench::Rounds timed(
        rounds, 1,
        {[&] { return std::vector{microseconds_of(one)}; }, [&] { return std::vector{microseconds_of(other)}; }});
    fmt::print("| {} | {:.2f} | {:.2f} | {:.3f} | {:.3f} - {:.3f} |\n", what, timed.median(0), timed.median(1),
               timed.ratio(0.5, 1), timed.ratio(0.25, 1), timed.ratio(0.75, 1));
  };
  compare("mmap + munmap, asked for, beside tmpfs", {ours, true, kFew}, {tmpfs, false, kMany});
  compare("mmap + touch + munmap, asked for, beside tmpfs", {ours, true, kFew, true}, {tmpfs, false, kMany, true});
  compare("mmap + munmap of a tmpfs file, with the library and without", {tmpfs, true, kMany}, {tmpfs, false, kMany});
  compare("mmap + touch + munmap of it, with and without", {tmpfs, true, kMany, true}, {tmpfs, false, kMany, true});
  ::unlink(tmpfs.c_str());
  return 0;
}
