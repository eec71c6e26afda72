// A mapped PagedRegion beside the same file served by libfuse, and beside tmpfs where that has a meaning. As root:
//
//   build/release/bench/paged_bench [--quick] [--rounds=N] [--only=WORD] [--threads=N] [--splice] [--clone-fd]
//
// Each round does the same on all subjects, in turns which comes first. A ratio is that of the medians, of times: below
// 1 dmmap is faster. The servers are processes of their own; what a server does it times itself. --only takes the
// measurements whose names begin so or have that word in them; --threads is for dmmap, the last two are for libfuse.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/mappers.h"
#include "bench/must.h"
#include "bench/page_server.h"
#include "bench/paired.h"
#include "bench/table.h"

namespace {

using dmmap::UniqueFd;
using dmmap::bench::Command;
using dmmap::bench::kPage;
using dmmap::bench::kTime;
using dmmap::bench::megabytes;
using dmmap::bench::Metric;
using dmmap::bench::microseconds;
using dmmap::bench::must;
using dmmap::bench::Operation;
using dmmap::bench::PageServer;
using dmmap::bench::ServerOptions;
using dmmap::bench::Table;
using dmmap::bench::Unit;

constexpr std::size_t kMegabyte = std::size_t{1} << 20U;
constexpr std::size_t kWindow = 16;  // pages that one fault may map, when they're cached (mm/memory.c, fault-around)

struct Plan {
  std::size_t size = 256 * kMegabyte;
  int rounds = 31;
  int long_rounds = 11;  // of what takes long
  std::size_t faults = 2048;
  std::uint32_t calls = 100;
  std::string only;
  ServerOptions ours{.threads = 1};
  ServerOptions peers{.threads = 0};
};

// One file, mapped by this process, and who has its pages.
class Subject {
 public:
  Subject(const std::string& program, const ServerOptions& options, bool read_only = false) {
    server_ = std::make_unique<PageServer>(program, options);
    const int access = read_only ? O_RDONLY : O_RDWR;
    map(UniqueFd(::open(path().c_str(), access | O_CLOEXEC)), options.size,  // NOLINT(*-vararg)
        read_only ? PROT_READ : PROT_READ | PROT_WRITE);
  }
  /// tmpfs.
  explicit Subject(std::size_t size) : memory_(::memfd_create("bench", MFD_CLOEXEC)) {
    must(::ftruncate(memory_.get(), static_cast<off_t>(size)) == 0, "ftruncate");
    map(UniqueFd(::dup(memory_.get())), size, PROT_READ | PROT_WRITE);
    for (std::size_t page = 0; page < size / kPage; ++page) {
      words()[page * kPage / 8] = page;
    }
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject() { ::munmap(bytes_.data(), bytes_.size()); }

  [[nodiscard]] std::string path() const { return server_->path(); }
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  [[nodiscard]] volatile std::uint64_t* words() const {
    return reinterpret_cast<volatile std::uint64_t*>(bytes_.data());  // NOLINT(*-reinterpret-cast): a page's number
  }
  [[nodiscard]] double ask(Command::Verb verb, std::uint64_t offset, std::uint64_t size, std::uint32_t count = 1) {
    if (server_) {
      return server_->ask({verb, count, offset, size});
    }
    // tmpfs has no server: what one would do to its own file.
    data_.resize(size);
    return microseconds([&] {
             for (std::uint32_t i = 0; i < count; ++i) {
               const auto at = static_cast<off_t>(offset);
               must((verb == Command::Verb::write ? ::pwrite(memory_.get(), data_.data(), size, at)
                                                  : ::pread(memory_.get(), data_.data(), size, at)) > 0,
                    "tmpfs");
             }
           }) /
           count;
  }
  void drop_all() { static_cast<void>(ask(Command::Verb::unmap, 0, bytes_.size())); }

 private:
  void map(const UniqueFd& fd, std::size_t size, int protection) {
    must(static_cast<bool>(fd), "open");
    void* const base = ::mmap(nullptr, size, protection, MAP_SHARED, fd.get(), 0);
    must(base != MAP_FAILED, "mmap");  // NOLINT(*-cstyle-cast)
    bytes_ = {static_cast<std::byte*>(base), size};
  }
  std::unique_ptr<PageServer> server_;
  UniqueFd memory_;
  std::vector<std::byte> data_;
  std::span<std::byte> bytes_;
};

const Unit kFaults{"/s", 1e6};

// Pages to touch, no two in the reach of one fault, in an order that no one can foresee.
std::vector<std::uint32_t> pages_to_touch(const Plan& plan) {
  static std::mt19937 random(1);
  std::vector<std::uint32_t> pages(plan.size / kPage / kWindow);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    pages[i] = static_cast<std::uint32_t>(i * kWindow + random() % kWindow);
  }
  std::shuffle(pages.begin(), pages.end(), random);
  pages.resize(std::min(pages.size(), plan.faults));
  return pages;
}

// Touches them with several threads: the median, the 99th of 100, and the time for each of all.
std::vector<double> fault_cold(const Plan& plan, Subject& subject, std::size_t threads) {
  const auto pages = pages_to_touch(plan);
  std::vector<double> times(pages.size());
  std::vector<std::thread> clients;
  std::barrier start(static_cast<std::ptrdiff_t>(threads) + 1);
  std::barrier end(static_cast<std::ptrdiff_t>(threads) + 1);
  std::atomic<bool> wrong{false};
  for (std::size_t client = 0; client < threads; ++client) {
    clients.emplace_back([&, client] {
      start.arrive_and_wait();
      for (std::size_t i = client; i < pages.size(); i += threads) {
        times[i] = microseconds([&] { wrong = wrong || subject.words()[pages[i] * kPage / 8] != pages[i]; });
      }
      end.arrive_and_wait();
    });
  }
  start.arrive_and_wait();
  const double all = microseconds([&] { end.arrive_and_wait(); });
  for (auto& client : clients) {
    client.join();
  }
  must(!wrong, "a page has the wrong bytes");
  subject.drop_all();
  return {dmmap::bench::quantile(times, 0.5), dmmap::bench::quantile(times, 0.99),
          all / static_cast<double>(pages.size())};
}

void cold_faults(const Plan& plan, const Table& table) {
  if (!table.wants("cold fault")) {
    return;
  }
  ServerOptions ours = plan.ours;
  ServerOptions peers = plan.peers;
  ours.readahead = peers.readahead = 0;
  Subject our_file("paged_bench_server", ours);
  Subject peer_file("libfuse_peer", peers);
  for (const std::size_t threads : {1U, 2U, 4U, 8U, 16U}) {
    table.add(fmt::format("cold fault, {} client thread{}", threads, threads == 1 ? "" : "s"), plan.rounds,
              {{": median", kTime}, {": 99 in 100", kTime}, {": all together", kFaults}},
              {[&, threads] { return fault_cold(plan, our_file, threads); },
               [&, threads] { return fault_cold(plan, peer_file, threads); }});
  }
}

// What a pass computes must be computed: a place that the compiler can't see through.
std::atomic<std::uint64_t> result_of_pass{0};

Operation read_all(Subject& subject, bool cold) {
  return [&subject, cold] {
    std::vector times{microseconds([&] {
      std::uint64_t sum = 0;
      for (std::size_t at = 0; at < subject.bytes().size() / 8; at += 8) {  // a word of each cache line
        sum += subject.words()[at];
      }
      result_of_pass = sum;
    })};
    if (cold) {
      subject.drop_all();
    }
    return times;
  };
}

Operation write_all(Subject& subject) {
  return [&subject] {
    std::vector times{microseconds([&] {
      for (std::size_t at = 0; at < subject.bytes().size() / 8; at += 8) {
        subject.words()[at] = at * 8 / kPage;  // a page's number, so that it stays what it was
      }
      must(::msync(subject.bytes().data(), subject.bytes().size(), MS_SYNC) == 0, "msync");
    })};
    subject.drop_all();
    return times;
  };
}

Operation store_and_sync(const Plan& plan, Subject& subject, std::size_t size) {
  return [&subject, size, calls = plan.calls] {
    std::vector<double> times(calls);
    for (std::uint32_t i = 0; i < calls; ++i) {
      times[i] = microseconds([&] {
        std::memset(subject.bytes().data(), static_cast<int>(i), size);
        must(::msync(subject.bytes().data(), size, MS_SYNC) == 0, "msync");
      });
    }
    return std::vector{dmmap::bench::quantile(std::move(times), 0.5)};
  };
}

Operation by_server(const Plan& plan, Subject& subject, Command::Verb verb, std::size_t size) {
  return [&subject, verb, size, calls = plan.calls] {
    for (std::size_t at = 0; at < size; at += kPage) {  // a client has mapped it
      result_of_pass = subject.words()[at / 8];
    }
    return std::vector{subject.ask(verb, 0, size, calls)};
  };
}

void sequential(const Plan& plan, const Table& table) {
  if (!table.wants("sequential")) {
    return;
  }
  Subject our_file("paged_bench_server", plan.ours);
  Subject peer_file("libfuse_peer", plan.peers);
  Subject tmpfs(plan.size);
  const auto rate = megabytes(plan.size);
  const std::string what = fmt::format("sequential, {} MiB: ", plan.size / kMegabyte);
  table.add(what + "read, cold", plan.long_rounds, {{"", rate}}, {read_all(our_file, true), read_all(peer_file, true)});
  for (const bool ahead : {true, false}) {
    ServerOptions pushing = plan.ours;
    pushing.push = 32 * kPage;
    pushing.readahead = ahead ? std::nullopt : std::optional(0U);
    Subject pushed("paged_bench_server", pushing);
    table.add(fmt::format("{}read, cold, dmmap pushes 128 KiB{}", what, ahead ? "" : " and has no readahead"),
              plan.long_rounds, {{"", rate}}, {read_all(pushed, true), read_all(peer_file, true)});
  }
  table.add(what + "write, cold, and msync", plan.long_rounds, {{"", rate}},
            {write_all(our_file), write_all(peer_file)});
  table.add(what + "read, cached", plan.long_rounds, {{"", rate}},
            {read_all(our_file, false), read_all(peer_file, false), read_all(tmpfs, false)});
}

void small_things(const Plan& plan, const Table& table, bool writeback_cache) {
  ServerOptions ours = plan.ours;
  ServerOptions peers = plan.peers;
  ours.writeback_cache = peers.writeback_cache = writeback_cache;
  const std::string with = writeback_cache ? ", writeback cache" : "";
  Subject our_file("paged_bench_server", ours);
  Subject peer_file("libfuse_peer", peers);
  Subject tmpfs(plan.size);
  for (const std::size_t size : {kPage, kMegabyte}) {
    const std::string bytes = size == kPage ? "4 KiB" : "1 MiB";
    const std::vector<Metric> metrics = size == kPage ? std::vector<Metric>{{"", kTime}}
                                                      : std::vector<Metric>{{"", kTime}, {", rate", megabytes(size)}};
    const auto twice = [](const Operation& operation) -> Operation {
      return [operation] {
        auto times = operation();
        times.push_back(times[0]);
        return times;
      };
    };
    if (table.wants("store and msync")) {
      table.add(fmt::format("store and msync, {}{}", bytes, with), plan.rounds, metrics,
                {twice(store_and_sync(plan, our_file, size)), twice(store_and_sync(plan, peer_file, size))});
    }
    for (const auto verb : {Command::Verb::write, Command::Verb::read}) {
      const std::string name =
          fmt::format("server {} mapped pages, {}{}", verb == Command::Verb::write ? "writes" : "reads", bytes, with);
      if (table.wants(name)) {
        table.add(name, plan.rounds, metrics,
                  {twice(by_server(plan, our_file, verb, size)), twice(by_server(plan, peer_file, verb, size)),
                   twice(by_server(plan, tmpfs, verb, size))});
      }
    }
  }
}

// Nobody has the file open for writing: dmmap puts the bytes straight into the page cache then.
void for_readers(const Plan& plan, const Table& table) {
  const std::string what = "server writes pages that clients only read";
  if (!table.wants(what)) {
    return;
  }
  Subject our_file("paged_bench_server", plan.ours, true);
  Subject peer_file("libfuse_peer", plan.peers, true);
  Subject tmpfs(plan.size);
  for (const std::size_t size : {kPage, kMegabyte}) {
    table.add(
        fmt::format("{}, {}", what, size == kPage ? "4 KiB" : "1 MiB"), plan.rounds, {{"", kTime}},
        {by_server(plan, our_file, Command::Verb::write, size), by_server(plan, peer_file, Command::Verb::write, size),
         by_server(plan, tmpfs, Command::Verb::write, size)});
  }
}

void unmapping(const Plan& plan, const Table& table) {
  if (!table.wants("unmap")) {
    return;
  }
  Subject our_file("paged_bench_server", plan.ours);
  Subject peer_file("libfuse_peer", plan.peers);
  const std::array<Subject*, 2> files{&our_file, &peer_file};
  for (const std::size_t count : {1U, 100U}) {
    dmmap::bench::Mappers mappers(count, {our_file.path(), peer_file.path()});
    const auto unmap = [&](std::size_t file) -> Operation {
      return [&, file] {
        std::vector<double> times;
        for (std::uint64_t page = 0; page < 20; ++page) {
          mappers.touch(file, page);
          times.push_back(files[file]->ask(Command::Verb::unmap, page * kPage, kPage));
        }
        return std::vector{dmmap::bench::quantile(std::move(times), 0.5)};
      };
    };
    table.add(fmt::format("unmap a page that {} process{} mapped", count, count == 1 ? " has" : "es have"), plan.rounds,
              {{"", kTime}}, {unmap(0), unmap(1)});
  }
}

std::optional<Plan> plan_of(std::span<char*> words) {
  Plan plan;
  for (const std::string_view word : words.subspan(1)) {
    if (word == "--quick") {
      plan.size = 16 * kMegabyte;
      plan.rounds = plan.long_rounds = 3;
      plan.faults = 256;
      plan.calls = 20;
    } else if (word.starts_with("--rounds=")) {
      plan.rounds = plan.long_rounds = std::atoi(word.data() + 9);  // NOLINT(cert-err34-c): a wrong one is 0
    } else if (word.starts_with("--only=")) {
      plan.only = word.substr(7);
    } else if (word.starts_with("--threads=")) {
      plan.ours.threads = static_cast<unsigned>(std::atoi(word.data() + 10));  // NOLINT(cert-err34-c)
    } else if (word == "--splice") {
      plan.peers.splice = true;
    } else if (word == "--clone-fd") {
      plan.peers.clone_fd = true;
    } else {
      return std::nullopt;
    }
  }
  plan.ours.size = plan.peers.size = plan.size;
  return plan.rounds < 1 ? std::nullopt : std::optional(plan);
}

}  // namespace

int main(int argc, char** argv) {
  const auto plan = plan_of({argv, static_cast<std::size_t>(argc)});
  if (!plan) {
    fmt::print(stderr,
               "usage: paged_bench [--quick] [--rounds=N] [--only=WORD] [--threads=N] [--splice] [--clone-fd]\n");
    return 2;
  }
  try {
    const Table table(plan->only, "tmpfs");
    unmapping(*plan, table);  // first: it forks, and wants no thread here
    cold_faults(*plan, table);
    sequential(*plan, table);
    small_things(*plan, table, false);
    small_things(*plan, table, true);
    for_readers(*plan, table);
  } catch (const std::exception& error) {
    fmt::print(stderr, "paged_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
