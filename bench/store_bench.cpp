// The page store beside a libfuse server that mirrors a folder, and beside the disk's own file system. As root:
//
//   build/release/bench/store_bench [--quick] [--rounds=N] [--only=WORD] [--million]
//
// All three are on the disk where temporary files are ($TMPDIR, or /tmp). Each round does the same on all, in turns
// which comes first. A ratio is that of the medians, of times: below 1 dmmap is faster. Cold: the kernel has dropped
// all caches, the disk's too; what the store's server has cached it keeps. --million makes a million files in one
// directory of the store, and shows how long that takes and what the server's memory comes to: some minutes.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/must.h"
#include "bench/paired.h"
#include "bench/store_subjects.h"
#include "bench/table.h"
#include "support/process.h"
#include "transport/unique_fd.h"

namespace {

using dmmap::UniqueFd;
using dmmap::bench::drop_caches;
using dmmap::bench::kTime;
using dmmap::bench::megabytes;
using dmmap::bench::microseconds;
using dmmap::bench::must;
using dmmap::bench::Operation;
using dmmap::bench::StoreSubject;
using dmmap::bench::Table;
using dmmap::bench::Unit;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMegabyte = std::size_t{1} << 20U;
const Unit kMilliseconds{"ms", 0, 1000};
const Unit kSeconds{"s", 0, 1e6};

struct Plan {
  std::size_t size = 256 * kMegabyte;
  std::size_t copied = 1024 * kMegabyte;
  int rounds = 11;
  std::size_t faults = 500;
  std::size_t syncs = 50;
  std::size_t files = 2000;
  std::size_t tree = 100'000;  // files
  bool million = false;
  std::string only;
};

void must_run(const std::vector<std::string>& command) {
  const auto outcome = dmmap::testing::run(command, std::chrono::minutes(30));
  if (outcome.status != 0) {
    throw std::runtime_error(fmt::format("{}: {}", command.front(), outcome.err));
  }
}

std::mt19937& random_source() {
  static std::mt19937 source(1);
  return source;
}

UniqueFd opened(const std::filesystem::path& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));  // NOLINT(*-vararg)
  must(static_cast<bool>(fd), path.c_str());
  return fd;
}

// Bytes that nothing can make smaller.
void write_file(const std::filesystem::path& path, std::size_t size) {
  std::vector<std::uint32_t> bytes(std::min(size, kMegabyte) / sizeof(std::uint32_t));
  const UniqueFd fd = opened(path, O_CREAT | O_WRONLY | O_TRUNC);
  for (std::size_t at = 0; at < size; at += bytes.size() * sizeof(std::uint32_t)) {
    std::generate(bytes.begin(), bytes.end(), std::ref(random_source()));
    const auto data = std::as_bytes(std::span(bytes));
    must(::write(fd.get(), data.data(), data.size()) == static_cast<ssize_t>(data.size()), "write");
  }
  must(::fsync(fd.get()) == 0, "fsync");
}

// What a pass computes must be computed: a place that the compiler can't see through.
std::atomic<std::uint64_t> result_of_pass{0};

class Mapped {
 public:
  Mapped(const std::filesystem::path& path, std::size_t size) : size_(size) {
    const UniqueFd fd = opened(path, O_RDWR);
    void* const base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    must(base != MAP_FAILED, "mmap");  // NOLINT(*-cstyle-cast)
    words_ = static_cast<std::uint64_t*>(base);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() { ::munmap(words_, size_); }
  [[nodiscard]] std::span<std::uint64_t> words() const { return {words_, size_ / sizeof(std::uint64_t)}; }
  /// A word of each cache line.
  void read_all() const {
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < words().size(); at += 8) {
      sum += words()[at];
    }
    result_of_pass = sum;
  }

 private:
  std::uint64_t* words_ = nullptr;
  std::size_t size_;
};

// The three, in the order of Table.
class Subjects {
 public:
  using Kind = StoreSubject::Kind;
  [[nodiscard]] StoreSubject& operator[](std::size_t which) { return *subjects_.at(which); }
  /// For each of them what `make` returns.
  template <class Make>
  std::vector<Operation> each(const Make& make) {
    std::vector<Operation> operations;
    for (auto& subject : subjects_) {
      operations.push_back(make(*subject));
    }
    return operations;
  }

 private:
  std::array<std::unique_ptr<StoreSubject>, 3> subjects_{std::make_unique<StoreSubject>(Kind::store),
                                                         std::make_unique<StoreSubject>(Kind::mirror),
                                                         std::make_unique<StoreSubject>(Kind::folder)};
};

Operation fault_cold(const Plan& plan, const StoreSubject& subject) {
  return [&plan, file = subject.path() / "big"] {
    const Mapped mapped(file, plan.size);
    drop_caches();
    must(::madvise(mapped.words().data(), plan.size, MADV_RANDOM) == 0, "madvise");
    std::vector<double> times;
    std::uniform_int_distribution<std::size_t> page(0, plan.size / kPage - 1);
    for (std::size_t i = 0; i < plan.faults; ++i) {
      const std::size_t at = page(random_source()) * (kPage / 8);
      times.push_back(microseconds([&] { result_of_pass = mapped.words()[at]; }));
    }
    return std::vector{dmmap::bench::quantile(times, 0.5), dmmap::bench::quantile(times, 0.99)};
  };
}

Operation pass_over(const Plan& plan, const StoreSubject& subject) {
  return [&plan, file = subject.path() / "big"] {
    const Mapped mapped(file, plan.size);
    drop_caches();
    std::vector<double> times;
    times.push_back(microseconds([&] { mapped.read_all(); }));
    times.push_back(microseconds([&] { mapped.read_all(); }));
    times.push_back(microseconds([&] {
      for (std::size_t at = 0; at < mapped.words().size(); at += 8) {
        ++mapped.words()[at];
      }
      must(::msync(mapped.words().data(), plan.size, MS_SYNC) == 0, "msync");
    }));
    return times;
  };
}

Operation write_and_sync(const Plan& plan, const StoreSubject& subject, std::size_t size) {
  return [&plan, size, file = subject.path() / "big"] {
    const UniqueFd fd = opened(file, O_WRONLY);
    const std::vector<char> bytes(size, 'x');
    std::uniform_int_distribution<std::size_t> place(0, plan.size / size - 1);
    std::vector<double> times;
    for (std::size_t i = 0; i < plan.syncs; ++i) {
      const auto at = static_cast<off_t>(place(random_source()) * size);
      times.push_back(microseconds([&] {
        must(::pwrite(fd.get(), bytes.data(), size, at) == static_cast<ssize_t>(size), "pwrite");
        must(::fsync(fd.get()) == 0, "fsync");
      }));
    }
    return std::vector{dmmap::bench::quantile(times, 0.5), dmmap::bench::quantile(times, 0.99)};
  };
}

Operation small_files(const Plan& plan, const StoreSubject& subject) {
  return [&plan, folder = subject.path() / "small"] {
    const std::vector<char> bytes(1024, 'x');
    const auto name = [&](std::size_t i) { return folder / fmt::format("file{}", i); };
    const auto each = [&](const auto& body) {
      const double all = microseconds([&] {
        for (std::size_t i = 0; i < plan.files; ++i) {
          body(i);
        }
      });
      return all / static_cast<double>(plan.files);
    };
    std::filesystem::create_directory(folder);
    std::vector<double> times;
    times.push_back(each([&](std::size_t i) {
      const UniqueFd fd = opened(name(i), O_CREAT | O_EXCL | O_WRONLY);
      must(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "write");
    }));
    drop_caches();
    struct stat status {};
    times.push_back(each([&](std::size_t i) { must(::stat(name(i).c_str(), &status) == 0, "stat"); }));
    times.push_back(each([&](std::size_t i) { must(::stat(name(i).c_str(), &status) == 0, "stat"); }));
    drop_caches();
    std::size_t seen = 0;
    times.push_back(microseconds([&] {
                      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
                        seen += entry.is_regular_file() ? 1U : 0U;
                      }
                    }) /
                    static_cast<double>(plan.files));
    must(seen == plan.files, "a listing isn't whole");
    times.push_back(each([&](std::size_t i) { must(::unlink(name(i).c_str()) == 0, "unlink"); }));
    return times;
  };
}

Operation copy_file(const StoreSubject& subject) {
  return [from = subject.path() / "whole", to = subject.path() / "copy"] {
    std::vector times{microseconds([&] { must_run({"cp", from, to}); })};
    must(::unlink(to.c_str()) == 0, "unlink");
    ::sync();
    return times;
  };
}

void make_tree(const std::filesystem::path& folder, std::size_t files) {
  constexpr std::size_t kInEach = 1000;
  for (std::size_t i = 0; i < files; ++i) {
    const auto directory = folder / fmt::format("d{}", i / kInEach);
    if (i % kInEach == 0) {
      std::filesystem::create_directories(directory);
    }
    const UniqueFd fd = opened(directory / fmt::format("f{}", i), O_CREAT | O_WRONLY);
    const std::string text = fmt::format("file {}\n", i);
    must(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write");
  }
  ::sync();
}

// A snapshot by what each has for it.
Operation snapshot_tree(const StoreSubject& subject) {
  return [tree = subject.path() / "tree", copy = subject.path() / "snapshot", kind = subject.kind()] {
    std::vector times{microseconds([&] {
      if (kind == StoreSubject::Kind::store) {
        must_run({DMMAP_PROGRAM, "store", "snapshot", tree, copy});
      } else {
        must_run({"cp", "-a", tree, copy});
      }
    })};
    must_run({"rm", "-rf", copy});
    ::sync();
    return times;
  };
}

void measure(const Plan& plan) {
  Subjects subjects;
  const Table table(plan.only, dmmap::bench::filesystem_of(subjects[2].path()));
  for (std::size_t which = 0; which < 3; ++which) {
    write_file(subjects[which].path() / "big", plan.size);
  }
  const auto rate = megabytes(plan.size);
  table.add("cold fault", plan.rounds, {{": median", kTime}, {": 99 in 100", kTime}},
            subjects.each([&](const StoreSubject& subject) { return fault_cold(plan, subject); }));
  table.add(fmt::format("mapped, {} MiB", plan.size / kMegabyte), plan.rounds,
            {{": read, cold", rate}, {": read, cached", rate}, {": write, and msync", rate}},
            subjects.each([&](const StoreSubject& subject) { return pass_over(plan, subject); }));
  for (const std::size_t size : {kPage, kMegabyte}) {
    table.add(fmt::format("write and fsync, {}", size == kPage ? "4 KiB" : "1 MiB"), plan.rounds,
              {{": median", kTime}, {": 99 in 100", kTime}},
              subjects.each([&](const StoreSubject& subject) { return write_and_sync(plan, subject, size); }));
  }
  table.add("small files, each", plan.rounds,
            {{": create with 1 KiB", kTime},
             {": stat, cold", kTime},
             {": stat, cached", kTime},
             {": list, cold", kTime},
             {": unlink", kTime}},
            subjects.each([&](const StoreSubject& subject) { return small_files(plan, subject); }));
  const std::string copying = fmt::format("cp of {} MiB", plan.copied / kMegabyte);
  if (table.wants(copying)) {
    for (std::size_t which = 0; which < 3; ++which) {
      write_file(subjects[which].path() / "whole", plan.copied);
    }
    table.add(copying, std::min(plan.rounds, 5), {{"", kMilliseconds}},
              subjects.each([](const StoreSubject& subject) { return copy_file(subject); }));
  }
  const std::string snapshots = fmt::format("snapshot (elsewhere cp -a) of {} files", plan.tree);
  if (table.wants(snapshots)) {
    // libfuse's mirror has each file open that the kernel knows of: more than a process may.
    for (const std::size_t which : {0U, 2U}) {
      make_tree(subjects[which].path() / "tree", plan.tree);
    }
    table.add(snapshots, std::min(plan.rounds, 3), {{"", kSeconds}},
              {snapshot_tree(subjects[0]), {}, snapshot_tree(subjects[2])}, 0);
  }
}

// Not a comparison: that memory is bounded and that listing goes on.
void measure_million() {
  constexpr std::size_t kFiles = 1'000'000;
  const StoreSubject store(StoreSubject::Kind::store);
  const auto show = [&](std::string_view what, double time) {
    fmt::print("| {} | {:.1f} s | {:.0f} MB |\n", what, time / 1e6, store.memory() / 1e6);
    static_cast<void>(std::fflush(stdout));
  };
  fmt::print("| a million files in one directory | time | the server's memory after it |\n| --- | --- | --- |\n");
  show("nothing yet", 0);
  const auto folder = store.path() / "many";
  std::filesystem::create_directory(folder);
  show("create them, empty", microseconds([&] {
         for (std::size_t i = 0; i < kFiles; ++i) {
           static_cast<void>(opened(folder / fmt::format("file{}", i), O_CREAT | O_EXCL | O_WRONLY));
         }
       }));
  for (const char* const what : {"list them, cold", "list them again"}) {
    std::size_t seen = 0;
    if (std::string_view(what).ends_with("cold")) {
      drop_caches();
    }
    show(what, microseconds([&] {
           for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) {
             ++seen;
           }
         }));
    must(seen == kFiles, "a listing isn't whole");
  }
  drop_caches();
  show("ls -l of them, cold", microseconds([&] { must_run({"ls", "-lf", folder}); }));
  drop_caches();
  show("the kernel forgets them", 0);
  show("remove them", microseconds([&] { must_run({"rm", "-rf", folder}); }));
}

std::optional<Plan> plan_of(std::span<char*> words) {
  Plan plan;
  for (const std::string_view word : words.subspan(1)) {
    if (word == "--quick") {
      plan.size = 16 * kMegabyte;
      plan.copied = 64 * kMegabyte;
      plan.rounds = 3;
      plan.faults = 50;
      plan.syncs = 5;
      plan.files = 100;
      plan.tree = 1000;
    } else if (word.starts_with("--rounds=")) {
      plan.rounds = std::atoi(word.data() + 9);  // NOLINT(cert-err34-c): a wrong one is 0
    } else if (word.starts_with("--only=")) {
      plan.only = word.substr(7);
    } else if (word == "--million") {
      plan.million = true;
    } else {
      return std::nullopt;
    }
  }
  return plan.rounds < 1 ? std::nullopt : std::optional(plan);
}

}  // namespace

int main(int argc, char** argv) {
  const auto plan = plan_of({argv, static_cast<std::size_t>(argc)});
  if (!plan) {
    fmt::print(stderr, "usage: store_bench [--quick] [--rounds=N] [--only=WORD] [--million]\n");
    return 2;
  }
  try {
    if (plan->million) {
      measure_million();
    } else {
      measure(*plan);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "store_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
