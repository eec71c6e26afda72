#include "bench/camera_flow.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <new>
#include <vector>

#include "bench/camera_clients.h"
#include "bench/must.h"
#include "bench/paired.h"
#include "transport/unique_fd.h"

namespace dmmap::bench {

namespace {

constexpr std::uint64_t kFrames = 4;
constexpr int kPipeBytes = 1 << 20;
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kUncounted = 400 * kMillisecond;
constexpr std::int64_t kStart = 20'000 * kMillisecond;  // for the processes to be ready

volatile std::sig_atomic_t signalled = 0;

void pause_for(std::int64_t nanoseconds) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const timespec wanted{nanoseconds / kSecond, nanoseconds % kSecond};
  ::nanosleep(&wanted, nullptr);
  if (signalled != 0) {
    throw std::runtime_error("interrupted");
  }
}

// Microseconds of a processor that a process has used.
double processor_time(pid_t pid) {
  clockid_t clock = 0;
  timespec used{};
  const int wrong = ::clock_getcpuclockid(pid, &clock);
  must(wrong == 0 && ::clock_gettime(clock, &used) == 0, "the processor time of a process");
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}

// The processes of one flow; none outlives it.
class Children {
 public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    for (const pid_t pid : pids_) {
      ::kill(pid, SIGKILL);
    }
    for (const pid_t pid : pids_) {
      while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
  pid_t start(const std::function<void()>& body) {
    static_cast<void>(std::fflush(nullptr));
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      static_cast<void>(std::signal(SIGINT, SIG_DFL));
      static_cast<void>(std::signal(SIGTERM, SIG_DFL));
      try {
        if (::getppid() == parent) {
          body();
        }
      } catch (const std::exception& error) {
        fmt::print(stderr, "camera_bench: {}\n", error.what());
        ::_exit(1);
      }
      ::_exit(0);
    }
    pids_.push_back(pid);
    return pid;
  }
  /// Throws when one has ended.
  void check() const {
    for (const pid_t pid : pids_) {
      siginfo_t info{};
      must(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0, "waitid");
      if (info.si_pid != 0) {
        throw std::runtime_error("a process of the measurement ended too early");
      }
    }
  }

 private:
  std::vector<pid_t> pids_;
};

void wait_for_ready(const FlowState& state, unsigned count, const Children& children) {
  const std::int64_t deadline = nanoseconds_now() + kStart;
  while (state.ready < count) {
    pause_for(kMillisecond);
    children.check();
    if (nanoseconds_now() > deadline) {
      throw std::runtime_error("a process of the measurement doesn't become ready");
    }
  }
}

FlowResult result_of(const FlowState& state, unsigned consumers, double seconds) {
  FlowResult result;
  std::vector<double> latencies;
  std::uint64_t pictures = 0;
  for (const Seen& seen : std::span(state.seen).first(consumers)) {
    pictures += seen.pictures;
    result.lost += static_cast<double>(seen.lost);
    result.no_room += static_cast<double>(seen.no_room);
    result.torn += static_cast<double>(seen.torn);
    const auto samples = std::span(seen.latencies).first(std::min<std::size_t>(seen.pictures, kMostSamples));
    latencies.insert(latencies.end(), samples.begin(), samples.end());
  }
  if (latencies.empty()) {
    throw std::runtime_error("no picture came in the counted time");
  }
  result.made = static_cast<double>(state.made) / seconds;
  result.delivered = static_cast<double>(pictures) / seconds / consumers;
  result.latency = quantile(latencies, 0.5);
  result.latency_99 = quantile(latencies, 0.99);
  return result;
}

}  // namespace

Frames::Frames(FrameSize size) : size_(size), bytes_(kFrames * size.bytes()) {
  // Slopes, edges, and a little noise: neither nothing nor everything to compress.
  std::uint32_t noise = 1;
  for (std::uint64_t index = 0; index < kFrames; ++index) {
    const auto picture = of(index);
    for (std::size_t y = 0; y < size.height; ++y) {
      for (std::size_t x = 0; x < std::size_t{2} * size.width; ++x) {
        noise = noise * 1664525U + 1013904223U;
        const bool box = ((x / 128 + y / 64 + index) & 1U) != 0;
        const std::size_t level = x % 2 == 1 ? 96 + x / 64 % 64 : 32 + (x + y) / 32 % 128 + (box ? 48 : 0);
        picture[y * 2 * size.width + x] = static_cast<std::byte>(level + (noise >> 30U));
      }
    }
  }
}

std::span<std::byte> Frames::of(std::uint64_t tick) const {
  return bytes_.bytes().subspan(tick % kFrames * size_.bytes(), size_.bytes());
}

FlowResult flow(const Frames& frames, const FlowWish& wish) {
  const SharedBytes memory(sizeof(FlowState));
  FlowState& state = *new (memory.bytes().data()) FlowState;  // as long as the memory, which ends it
  const bool by_camera = !wish.device.empty();
  std::vector<UniqueFd> read_ends;
  std::vector<int> write_ends;
  std::vector<UniqueFd> kept;
  for (unsigned i = 0; !by_camera && i < wish.consumers; ++i) {
    std::array<int, 2> ends{};
    must(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe");
    read_ends.emplace_back(ends[0]);
    kept.emplace_back(ends[1]);
    write_ends.push_back(ends[1]);
    must(::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes) >= 0, "F_SETPIPE_SZ");  // NOLINT(*-vararg)
  }
  Children children;
  const pid_t producer = children.start([&] {
    by_camera ? produce_by_camera(state, frames, wish) : produce_by_pipes(state, frames, wish, write_ends);
    for (;;) {
      ::pause();
    }
  });
  wait_for_ready(state, 1, children);  // the device has its format then
  std::vector<pid_t> consumers;
  for (unsigned i = 0; i < wish.consumers; ++i) {
    consumers.push_back(children.start([&, i] {
      Seen& seen = state.seen.at(i);
      by_camera ? consume_by_camera(state, seen, wish, frames.size())
                : consume_by_pipe(state, seen, wish, frames.size(), read_ends[i].get());
    }));
  }
  wait_for_ready(state, 1 + wish.consumers, children);

  const std::int64_t begin = nanoseconds_now() + kUncounted;
  const auto length = static_cast<std::int64_t>(wish.seconds * 1e9);
  state.end = begin + length;
  state.begin = begin;
  std::array<double, 3> used{};  // server, producer, consumers
  const auto add_used = [&](double sign) {
    used[0] += wish.server != 0 ? sign * processor_time(wish.server) : 0;
    used[1] += sign * processor_time(producer);
    for (const pid_t consumer : consumers) {
      used[2] += sign * processor_time(consumer);
    }
  };
  pause_for(begin - nanoseconds_now());
  add_used(-1);
  pause_for(std::max<std::int64_t>(begin + length - nanoseconds_now(), 0));
  add_used(1);
  children.check();
  FlowResult result = result_of(state, wish.consumers, wish.seconds);
  const double pictures = result.delivered * wish.seconds * wish.consumers;
  result.cpu = (used[0] + used[1] + used[2]) / pictures;
  result.cpu_server = used[0] / pictures;
  result.cpu_producer = used[1] / pictures;
  return result;
}

double copy_time(const Frames& frames) {
  constexpr std::uint64_t kCopies = 51;
  std::vector<std::byte> to(frames.size().bytes());
  std::vector<double> times;
  for (std::uint64_t tick = 0; tick < kCopies; ++tick) {
    const auto from = frames.of(tick);
    times.push_back(microseconds([&] { std::memcpy(to.data(), from.data(), from.size()); }));
  }
  return quantile(times, 0.5);
}

void end_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { signalled = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace dmmap::bench
