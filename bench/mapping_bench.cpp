// A mapped SharedRegion beside a file of tmpfs, which is what it has to be as fast as. As root:
//
//   build/release/bench/mapping_bench [ROUNDS]
//
// Each round times the same operation on one and then on the other, in turns which comes first, so that whatever else
// the machine does meets both. The ratio is the median of the rounds' own ratios: below 1 dmmap is faster.
#include <dmmap/device.h>

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

#include "bench/paired.h"
#include "mount/mounted.h"
#include "transport/unique_fd.h"

namespace {

using dmmap::UniqueFd;
using dmmap::bench::microseconds;
using dmmap::bench::Operation;

constexpr std::size_t kSize = std::size_t{64} << 20U;
constexpr std::size_t kPage = 4096;

// One file of 64 MiB of either kind, and how to make its pages fresh again.
struct Subject {
  std::string path;
  std::function<void()> forget_pages;
};

class Ours {
 public:
  Ours() {
    region_ = dmmap::SharedRegion::create({.id = {1}, .size = kSize, .name = "bench"}).value();
    static_cast<void>(devices_.add({.name = "f", .size = kSize}, [this](const dmmap::OpenRequest&) {
      return std::make_shared<dmmap::testing::RegionStream>(region_);
    }));
    static_cast<void>(devices_.add({.name = "own", .size = kSize}, [this](const dmmap::OpenRequest&) {
      return std::make_shared<dmmap::testing::RegionStream>(
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

// A mapping of the whole of a subject.
class Words {
 public:
  explicit Words(const std::string& path) {
    const UniqueFd fd = open_it(path);
    void* base = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (base == MAP_FAILED) {  // NOLINT(*-cstyle-cast, performance-no-int-to-ptr)
      std::abort();
    }
    words_ = static_cast<std::uint64_t*>(base);
  }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;
  ~Words() { ::munmap(words_, kSize); }
  [[nodiscard]] std::uint64_t* get() const { return words_; }

 private:
  std::uint64_t* words_;
};

// What a pass computes must be computed: a place that the compiler can't see through.
std::atomic<std::uint64_t> result_of_pass{0};

void touch_pages(std::uint64_t* words) {
  for (std::size_t at = 0; at < kSize / 8; at += kPage / 8) {
    words[at] = at;
  }
}

void read_all(std::uint64_t* words) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < kSize / 8; ++at) {
    sum += words[at];
  }
  result_of_pass = sum;
}

void write_all(std::uint64_t* words) {
  for (std::size_t at = 0; at < kSize / 8; ++at) {
    words[at] = at;
  }
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

void read_randomly(std::uint64_t* words) {
  std::uint64_t sum = 0;
  for (const std::uint32_t at : random_order()) {
    sum += words[at];
  }
  result_of_pass = sum;
}

void write_randomly(std::uint64_t* words) {
  for (const std::uint32_t at : random_order()) {
    words[at] = at;
  }
}

Operation first_touch(const Subject& subject) {
  return [&subject] {
    subject.forget_pages();
    const Words words(subject.path);
    return std::vector{microseconds([&] { touch_pages(words.get()); })};
  };
}

Operation pass_over(const Words& words, void (*pass)(std::uint64_t*)) {
  return [&words, pass] { return std::vector{microseconds([&] { pass(words.get()); })}; };
}

Operation open_map_touch_close(const std::string& path) {
  return [path] {
    return std::vector{microseconds([&] {
      const UniqueFd fd = open_it(path);
      auto* base = static_cast<char*>(::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
      base[0] = 1;
      ::munmap(base, kPage);
    })};
  };
}

void compare(const std::string& name, int rounds, const Operation& ours, const Operation& peer) {
  const dmmap::bench::Rounds taken(rounds, 2, {ours, peer});
  fmt::print("| {} | {:.1f} | {:.1f} | {:.3f} | {:.3f} - {:.3f} |\n", name, taken.median(0), taken.median(1),
             taken.ratio(0.5, 1), taken.ratio(0.25, 1), taken.ratio(0.75, 1));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 101;  // NOLINT(cert-err34-c): a wrong one is 0, and refused
  if (rounds < 1) {
    fmt::print(stderr, "usage: mapping_bench [ROUNDS]\n");
    return 2;
  }
  Ours ours;
  const Tmpfs tmpfs;
  const Subject our_file = ours.subject();
  const Subject peer_file = tmpfs.subject();
  fmt::print("64 MiB, {} rounds, times in microseconds\n\n", rounds);
  fmt::print(
      "| what | dmmap, median | tmpfs, median | ratio, median | ratio, quartiles |\n| --- | --- | --- | --- | --- |\n");
  compare("first touch of 16384 pages", rounds, first_touch(our_file), first_touch(peer_file));
  {
    const Words our_words(our_file.path);
    const Words peer_words(peer_file.path);
    touch_pages(our_words.get());
    touch_pages(peer_words.get());
    compare("sequential read", rounds, pass_over(our_words, read_all), pass_over(peer_words, read_all));
    compare("sequential write", rounds, pass_over(our_words, write_all), pass_over(peer_words, write_all));
    compare("2^20 random reads", rounds, pass_over(our_words, read_randomly), pass_over(peer_words, read_randomly));
    compare("2^20 random writes", rounds, pass_over(our_words, write_randomly), pass_over(peer_words, write_randomly));
  }
  compare("open, mmap, touch, munmap, close", rounds, open_map_touch_close(our_file.path),
          open_map_touch_close(peer_file.path));
  compare("the same, each open a region of its own", rounds, open_map_touch_close(ours.own()),
          open_map_touch_close(peer_file.path));
  return 0;
}
