// A mapped SharedRegion beside a file of tmpfs, which is what it has to be as fast as: the same operations, in the same
// run, in random turns. As root:
//
//   bench/run mapping        runs it, and prints the medians and their ratio
#include <dmmap/device.h>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "mount/mounted.h"
#include "transport/unique_fd.h"

namespace {

using dmmap::UniqueFd;

constexpr std::size_t kSize = std::size_t{64} << 20U;
constexpr std::size_t kPage = 4096;

class Opened : public dmmap::Stream {
 public:
  explicit Opened(std::shared_ptr<dmmap::Region> region) : region_(std::move(region)) {}
  dmmap::Result<dmmap::Grant> map(const dmmap::MapRequest& /*request*/) override { return dmmap::Grant{region_}; }

 private:
  std::shared_ptr<dmmap::Region> region_;
};

// One file of 64 MiB of either kind, and how to make its pages fresh again.
struct Subject {
  std::string path;
  std::function<void()> forget_pages;
};

class Ours {
 public:
  Ours() {
    region_ = dmmap::SharedRegion::create({.id = {1}, .size = kSize, .name = "bench"}).value();
    static_cast<void>(devices_.add({.name = "f", .size = kSize},
                                   [this](const dmmap::OpenRequest&) { return std::make_shared<Opened>(region_); }));
    static_cast<void>(devices_.add({.name = "own", .size = kSize}, [this](const dmmap::OpenRequest&) {
      return std::make_shared<Opened>(
          dmmap::SharedRegion::create({.id = {++last_}, .size = kPage, .name = "own"}).value());
    }));
    dmmap::SessionOptions options;
    options.mount.mountpoint = directory_.path().string();
    session_.emplace(dmmap::Session::mount(devices_, std::move(options)).value());
  }
  [[nodiscard]] Subject subject() {
    return {(directory_ / "f").string(), [this] { static_cast<void>(region_->discard({0, kSize / kPage})); }};
  }
  [[nodiscard]] std::string own() const { return (directory_ / "own").string(); }

 private:
  dmmap::testing::TemporaryDirectory directory_;
  std::atomic<std::uint64_t> last_{1};
  std::shared_ptr<dmmap::SharedRegion> region_;
  dmmap::DeviceFilesystem devices_;
  std::optional<dmmap::Session> session_;
};

class Tmpfs {
 public:
  Tmpfs() : path_("/dev/shm/dmmap-bench-" + std::to_string(::getpid())) {
    fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));  // NOLINT(*-vararg)
    if (::ftruncate(fd_.get(), kSize) != 0) {
      std::abort();
    }
  }
  Tmpfs(const Tmpfs&) = delete;
  Tmpfs& operator=(const Tmpfs&) = delete;
  ~Tmpfs() { ::unlink(path_.c_str()); }
  [[nodiscard]] Subject subject() const {
    return {path_, [fd = fd_.get()] {
              ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(kSize));
            }};
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

UniqueFd open_it(const std::string& path) {
  return UniqueFd(dmmap::testing::open_file(path, O_RDWR));
}

std::uint64_t* map_it(int fd) {
  void* base = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return base == MAP_FAILED ? nullptr : static_cast<std::uint64_t*>(base);  // NOLINT
}

void first_touch(benchmark::State& state, const Subject& subject) {
  const UniqueFd fd = open_it(subject.path);
  for (auto _ : state) {
    state.PauseTiming();
    subject.forget_pages();
    std::uint64_t* words = map_it(fd.get());
    state.ResumeTiming();
    for (std::size_t at = 0; at < kSize / 8; at += kPage / 8) {
      words[at] = at;
    }
    state.PauseTiming();
    ::munmap(words, kSize);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSize / kPage));
}

// `pass` goes over the words of a mapping whose pages are there.
void over_words(benchmark::State& state, const Subject& subject, std::uint64_t (*pass)(std::uint64_t*)) {
  const UniqueFd fd = open_it(subject.path);
  std::uint64_t* words = map_it(fd.get());
  for (std::size_t at = 0; at < kSize / 8; at += kPage / 8) {
    words[at] = at;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(pass(words));
    benchmark::ClobberMemory();
  }
  ::munmap(words, kSize);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kSize));
}

std::uint64_t read_all(std::uint64_t* words) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < kSize / 8; ++at) {
    sum += words[at];
  }
  return sum;
}

std::uint64_t write_all(std::uint64_t* words) {
  for (std::size_t at = 0; at < kSize / 8; ++at) {
    words[at] = at;
  }
  return words[0];
}

const std::vector<std::uint32_t>& random_order() {
  static const std::vector<std::uint32_t> order = [] {
    std::vector<std::uint32_t> made(1U << 20U);
    std::mt19937 random(1);
    for (auto& each : made) {
      each = static_cast<std::uint32_t>(random() % (kSize / 8));
    }
    return made;
  }();
  return order;
}

std::uint64_t read_randomly(std::uint64_t* words) {
  std::uint64_t sum = 0;
  for (const std::uint32_t at : random_order()) {
    sum += words[at];
  }
  return sum;
}

std::uint64_t write_randomly(std::uint64_t* words) {
  for (const std::uint32_t at : random_order()) {
    words[at] = at;
  }
  return words[0];
}

void open_map_touch_close(benchmark::State& state, const std::string& path) {
  for (auto _ : state) {
    const UniqueFd fd = open_it(path);
    auto* base = static_cast<char*>(::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    base[0] = 1;
    ::munmap(base, kPage);
  }
}

void add(const std::string& kind, const Subject& subject) {
  benchmark::RegisterBenchmark(("first_touch/" + kind).c_str(),
                               [subject](benchmark::State& state) { first_touch(state, subject); });
  const std::vector<std::pair<std::string, std::uint64_t (*)(std::uint64_t*)>> passes{{"sequential_read", read_all},
                                                                                      {"sequential_write", write_all},
                                                                                      {"random_read", read_randomly},
                                                                                      {"random_write", write_randomly}};
  for (const auto& [name, pass] : passes) {
    benchmark::RegisterBenchmark(fmt::format("{}/{}", name, kind).c_str(),
                                 [subject, go = pass](benchmark::State& state) { over_words(state, subject, go); });
  }
  benchmark::RegisterBenchmark(("open_map_touch_close/" + kind).c_str(),
                               [path = subject.path](benchmark::State& state) { open_map_touch_close(state, path); });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  Ours ours;
  const Tmpfs tmpfs;
  add("dmmap", ours.subject());
  add("tmpfs", tmpfs.subject());
  // Each open with a region of its own has no like on tmpfs; beside it stands the open of one that is shared.
  benchmark::RegisterBenchmark("open_map_touch_close_own/dmmap",
                               [path = ours.own()](benchmark::State& state) { open_map_touch_close(state, path); });
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
