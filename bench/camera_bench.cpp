// What the camera costs beside a pipe that carries the same pictures, and what converting them costs. As root:
//
//   build/release/bench/camera_bench [--quick] [--rounds=N] [--seconds=S] [--only=SECTION] [--size=NAME]
//     [--consumers=N] [--csv=FILE]
//
// A program makes pictures in YUYV, 30 a second or as many as it can, and others get each of them: through the device
// (`--source device`, both sides by buffers that are mapped), or by a pipe of 1 MiB for each. Nobody looks at more of a
// picture than its first and last bytes. What a consumer loses are pictures that were due, whoever was late. --only
// takes one of: rate, most, formats, ways; --size and --consumers one of each in the first two. --csv keeps each
// round's values.
#include <fmt/format.h>
#include <linux/videodev2.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/camera_flow.h"
#include "bench/must.h"
#include "bench/paired.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace {

using dmmap::bench::flow;
using dmmap::bench::FlowResult;
using dmmap::bench::FlowWish;
using dmmap::bench::Frames;
using dmmap::bench::FrameSize;
using dmmap::bench::Operation;
using dmmap::bench::Rounds;

struct Plan {
  int rounds = 5;
  double seconds = 2;
  std::string only;
  std::string csv;
  std::vector<std::pair<std::string, FrameSize>> sizes{
      {"640x480", {640, 480}}, {"1080p", {1920, 1080}}, {"4K", {3840, 2160}}};
  std::vector<unsigned> consumers{1, 2, 4, 8, 16};
  std::vector<unsigned> at_most{1, 4, 16};
  [[nodiscard]] bool wants(std::string_view section) const { return only.empty() || only == section; }
};

constexpr double kRate = 30;
constexpr FrameSize kFullHd{1920, 1080};

// `dmmap camera --source device`, with the buffers that are asked for.
class Server {
 public:
  explicit Server(const std::string& buffers)
      : process_({program(), "camera", directory_.path().string(), "--source", "device", "--fps", "30", "--buffers",
                  buffers}) {
    if (!process_.wait_for_output("ready at", std::chrono::seconds(10))) {
      throw std::runtime_error("the server doesn't start: " + process_.err());
    }
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    process_.kill(SIGTERM);
    process_.wait(std::chrono::seconds(10));
  }
  [[nodiscard]] FlowWish wish(unsigned consumers, double rate, double seconds) const {
    FlowWish wish;
    wish.device = directory_ / "video0";
    wish.server = process_.pid();
    wish.consumers = consumers;
    wish.rate = rate;
    wish.seconds = seconds;
    return wish;
  }

 private:
  static std::string program() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "dmmap";
  }
  dmmap::testing::TemporaryDirectory directory_;
  dmmap::testing::Process process_;
};

// The values of a round, and their places in what Rounds has.
enum Metric : std::uint8_t {
  kMade,
  kDelivered,
  kLost,
  kNoRoom,
  kTorn,
  kCpu,
  kCpuServer,
  kCpuProducer,
  kLatency,
  kLatency99
};
constexpr const char* kColumns = "made,delivered,lost,no_room,torn,cpu,cpu_server,cpu_producer,latency,latency_99";
std::vector<double> values_of(const FlowResult& result) {
  return {result.made, result.delivered,  result.lost,         result.no_room, result.torn,
          result.cpu,  result.cpu_server, result.cpu_producer, result.latency, result.latency_99};
}

class Report {
 public:
  explicit Report(const std::string& path) {
    if (!path.empty()) {
      file_.open(path);
      dmmap::bench::must(file_.good(), path);
      file_ << "section,size,consumers,way," << kColumns << "\n";
    }
  }
  /// One that runs `wish`, keeps what came of it, and counts what must not be.
  [[nodiscard]] Operation operation(std::string section, std::string size, std::string way, const Frames& frames,
                                    const FlowWish& wish) {
    return [this, section = std::move(section), size = std::move(size), way = std::move(way), &frames, wish] {
      std::vector<double> values = values_of(flow(frames, wish));
      if (file_.is_open()) {
        file_ << fmt::format("{},{},{},{},{:.3f}\n", section, size, wish.consumers, way, fmt::join(values, ","))
              << std::flush;
      }
      torn_ += values[kTorn];
      if (section == "rate" && size == "1080p" && wish.consumers == 4 && way == "camera") {
        lost_of_four_ = lost_of_four_.value_or(0) + values[kLost];
      }
      return values;
    };
  }
  void end() const {
    if (lost_of_four_) {
      fmt::print("\n1080p30 to four consumers drops nothing on {} processors: {}\n", ::sysconf(_SC_NPROCESSORS_ONLN),
                 *lost_of_four_ == 0 ? "held in this run"
                                     : fmt::format("did NOT hold in this run, {:.0f} pictures lost", *lost_of_four_));
    }
    fmt::print("\nTorn pictures: {:.0f}\n", torn_);
  }

 private:
  std::ofstream file_;
  std::optional<double> lost_of_four_;
  double torn_ = 0;
};

void say_load(std::string_view when) {
  double load = 0;
  dmmap::bench::must(::getloadavg(&load, 1) == 1, "the load average");
  fmt::print("\nLoad average {}: {:.2f} on {} processors.\n", when, load, ::sysconf(_SC_NPROCESSORS_ONLN));
  static_cast<void>(std::fflush(stdout));
}

// "1234 us" or "1.2 ms"
std::string time(double microseconds) {
  return microseconds < 1000 ? fmt::format("{:.0f} us", microseconds) : fmt::format("{:.1f} ms", microseconds / 1000);
}

void line(const std::string& text) {
  fmt::print("{}\n", text);
  static_cast<void>(std::fflush(stdout));
}

std::string ratio(const Rounds& taken, std::size_t metric) {
  return fmt::format("{:.2f} | {:.2f} - {:.2f}", taken.ratio(0.5, 1, metric), taken.ratio(0.25, 1, metric),
                     taken.ratio(0.75, 1, metric));
}

void at_a_rate(const Plan& plan, const Server& server, Report& report) {
  line(
      "\n### 30 pictures a second\n\n"
      "| size | consumers | pictures/s each: camera | pipe | lost: camera | pipe | CPU per picture: camera | pipe | "
      "ratio | quartiles | latency: camera | pipe | 99 in 100: camera | pipe |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const auto& [name, size] : plan.sizes) {
    const Frames frames(size);
    for (const unsigned consumers : plan.consumers) {
      FlowWish by_pipe;
      by_pipe.consumers = consumers;
      by_pipe.rate = kRate;
      by_pipe.seconds = plan.seconds;
      const Rounds taken(plan.rounds, 0,
                         {report.operation("rate", name, "camera", frames, server.wish(consumers, kRate, plan.seconds)),
                          report.operation("rate", name, "pipe", frames, by_pipe)});
      const auto of = [&](std::size_t subject, Metric metric) { return taken.median(subject, metric); };
      line(fmt::format("| {} | {} | {:.1f} | {:.1f} | {:.0f} | {:.0f} | {} | {} | {} | {} | {} | {} | {} |", name,
                       consumers, of(0, kDelivered), of(1, kDelivered), of(0, kLost), of(1, kLost), time(of(0, kCpu)),
                       time(of(1, kCpu)), ratio(taken, kCpu), time(of(0, kLatency)), time(of(1, kLatency)),
                       time(of(0, kLatency99)), time(of(1, kLatency99))));
    }
  }
}

void at_most(const Plan& plan, const Server& server, Report& report) {
  line(
      "\n### As many as there's time for\n\n"
      "| size | consumers | pictures/s each: camera | pipe | ratio | quartiles | made/s: camera | pipe | "
      "CPU per picture: camera | pipe | ratio | quartiles | one copy in memory |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const auto& [name, size] : plan.sizes) {
    const Frames frames(size);
    for (const unsigned consumers : plan.at_most) {
      FlowWish by_pipe;
      by_pipe.consumers = consumers;
      by_pipe.seconds = plan.seconds;
      const Rounds taken(plan.rounds, 0,
                         {report.operation("most", name, "camera", frames, server.wish(consumers, 0, plan.seconds)),
                          report.operation("most", name, "pipe", frames, by_pipe)});
      const auto of = [&](std::size_t subject, Metric metric) { return taken.median(subject, metric); };
      line(fmt::format("| {} | {} | {:.0f} | {:.0f} | {} | {:.0f} | {:.0f} | {} | {} | {} | {} |", name, consumers,
                       of(0, kDelivered), of(1, kDelivered), ratio(taken, kDelivered), of(0, kMade), of(1, kMade),
                       time(of(0, kCpu)), time(of(1, kCpu)), ratio(taken, kCpu),
                       time(dmmap::bench::copy_time(frames))));
    }
  }
}

// Several ways of the same at 1080p30, beside the first of them.
struct Way {
  std::string name;
  FlowWish wish;
};
void compared(const Plan& plan, Report& report, const std::string& section, const Frames& frames,
              const std::vector<Way>& ways) {
  std::vector<Operation> operations;
  operations.reserve(ways.size());
  for (const Way& each : ways) {
    operations.push_back(report.operation(section, "1080p", each.name, frames, each.wish));
  }
  const Rounds taken(plan.rounds, 0, operations);
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const auto of = [&](Metric metric) { return taken.median(i, metric); };
    // Rounds has the first's to this one.
    const auto to_first = [&](double part) { return 1 / taken.ratio(1 - part, i, kCpu); };
    line(fmt::format("| {} | {} | {:.0f} | {} | {} | {:.2f} | {:.2f} - {:.2f} | {} | {} |", ways[i].name,
                     ways[i].wish.consumers, of(kLost), time(of(kCpu)), time(of(kCpuServer)), to_first(0.5),
                     to_first(0.25), to_first(0.75), time(of(kLatency)), time(of(kLatency99))));
  }
}

void formats(const Plan& plan, const Server& server, Report& report) {
  line(
      "\n### 1080p30, converted\n\n"
      "| captured as | consumers | lost | CPU per picture | of it the server | ratio to the first | quartiles | "
      "latency | 99 in 100 |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  const Frames frames(kFullHd);
  for (const unsigned consumers : {1U, 4U}) {
    const auto as = [&](const char* name, std::uint32_t format, FrameSize size) {
      Way way{name, server.wish(consumers, kRate, plan.seconds)};
      way.wish.format = format;
      way.wish.captured = size;
      return way;
    };
    compared(plan, report, "formats", frames,
             {as("YUYV", V4L2_PIX_FMT_YUYV, kFullHd), as("NV12", V4L2_PIX_FMT_NV12, kFullHd),
              as("RGB24", V4L2_PIX_FMT_RGB24, kFullHd), as("MJPEG", V4L2_PIX_FMT_MJPEG, kFullHd),
              as("YUYV 960x540", V4L2_PIX_FMT_YUYV, {960, 540})});
  }
}

void other_ways(const Plan& plan, const Server& server, Report& report) {
  line(
      "\n### 1080p30, in other ways\n\n"
      "| way | consumers | lost | CPU per picture | of it the server | ratio to the first | quartiles | "
      "latency | 99 in 100 |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  const Server paged("paged");
  const Frames frames(kFullHd);
  for (const unsigned consumers : {1U, 4U}) {
    Way polls{"waiting in poll(2)", server.wish(consumers, kRate, plan.seconds)};
    polls.wish.polls = true;
    compared(plan, report, "ways", frames,
             {{"waiting in DQBUF", server.wish(consumers, kRate, plan.seconds)},
              polls,
              {"--buffers=paged", paged.wish(consumers, kRate, plan.seconds)}});
  }
}

std::optional<Plan> plan_of(std::span<char*> words) {
  Plan plan;
  for (const std::string_view word : words.subspan(1)) {
    if (word == "--quick") {
      plan.rounds = 1;
      plan.seconds = 0.4;
      plan.sizes.pop_back();
      plan.consumers = {1, 4};
      plan.at_most = {1};
    } else if (word.starts_with("--rounds=")) {
      plan.rounds = std::atoi(word.data() + 9);  // NOLINT(cert-err34-c): a wrong one is 0
    } else if (word.starts_with("--seconds=")) {
      plan.seconds = std::atof(word.data() + 10);  // NOLINT(cert-err34-c)
    } else if (word.starts_with("--only=")) {
      plan.only = word.substr(7);
    } else if (word.starts_with("--size=")) {
      std::erase_if(plan.sizes, [&](const auto& each) { return each.first != word.substr(7); });
    } else if (word.starts_with("--consumers=")) {
      const int count = std::clamp(std::atoi(word.data() + 12), 1, 16);  // NOLINT(cert-err34-c)
      plan.consumers = plan.at_most = {static_cast<unsigned>(count)};
    } else if (word.starts_with("--csv=")) {
      plan.csv = word.substr(6);
    } else {
      return std::nullopt;
    }
  }
  return plan.rounds < 1 || !(plan.seconds > 0) ? std::nullopt : std::optional(plan);
}

}  // namespace

int main(int argc, char** argv) {
  const auto plan = plan_of({argv, static_cast<std::size_t>(argc)});
  if (!plan) {
    fmt::print(
        stderr,
        "usage: camera_bench [--quick] [--rounds=N] [--seconds=S] [--only=SECTION] [--size=NAME] [--consumers=N] "
        "[--csv=FILE]\n");
    return 2;
  }
  dmmap::bench::end_on_signals();
  try {
    const Server server("shared");
    Report report(plan->csv);
    fmt::print("{} rounds of {} s.\n", plan->rounds, plan->seconds);
    say_load("before");
    if (plan->wants("rate")) {
      at_a_rate(*plan, server, report);
    }
    if (plan->wants("most")) {
      at_most(*plan, server, report);
    }
    if (plan->wants("formats")) {
      formats(*plan, server, report);
    }
    if (plan->wants("ways")) {
      other_ways(*plan, server, report);
    }
    report.end();
    say_load("after");
  } catch (const std::exception& error) {
    fmt::print(stderr, "camera_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
