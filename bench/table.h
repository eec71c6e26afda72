// Table: what Rounds measured, as lines of Markdown: ours, libfuse's, and of something that isn't FUSE.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/paired.h"

namespace dmmap::bench {

/// What is shown for a time: "us", or how much of something is done in it.
struct Unit {
  std::string name;
  double in_a_time = 0;     ///< shown is this divided by the microseconds; 0 shows those,
  double microseconds = 1;  ///< divided by this
  [[nodiscard]] std::string show(double time) const {
    return in_a_time == 0 ? fmt::format("{:.1f} {}", time / microseconds, name)
                          : fmt::format("{:.0f} {}", in_a_time / time, name);
  }
};
inline const Unit kTime{"us"};
inline Unit megabytes(std::size_t bytes) {
  return {"MB/s", static_cast<double>(bytes)};
}

struct Metric {
  std::string name;
  Unit unit;
};

class Table {
 public:
  /// Only measurements in whose names `only` occurs are taken. `third` is compared with too where there is one.
  Table(std::string only, std::string_view third) : only_(std::move(only)) {
    fmt::print("| what | dmmap | libfuse | ratio | quartiles of rounds | {} | ratio |\n", third);
    fmt::print("| --- | --- | --- | --- | --- | --- | --- |\n");
  }
  /// Whether measurements whose names have these words in them may be asked for.
  [[nodiscard]] bool wants(std::string_view words) const {
    return words.find(only_) != std::string_view::npos || only_.find(words) != std::string::npos;
  }
  /// Measures: dmmap first, then libfuse, then the third; the last two may be empty, or the last left out.
  void add(const std::string& name, int rounds, const std::vector<Metric>& metrics,
           const std::vector<Operation>& subjects, int uncounted = 1) const {
    if (name.find(only_) == std::string::npos) {
      return;
    }
    const Rounds taken(rounds, uncounted, subjects);
    for (std::size_t i = 0; i < metrics.size(); ++i) {
      const auto of = [&](std::size_t subject, const auto& show) -> std::string {
        return subject < subjects.size() && subjects[subject] ? show(subject) : "";
      };
      const auto time = [&](std::size_t subject) { return metrics[i].unit.show(taken.median(subject, i)); };
      const auto ratio = [&](std::size_t peer) {
        return fmt::format("{:.2f}", taken.median(0, i) / taken.median(peer, i));
      };
      const auto quartiles = [&](std::size_t peer) {
        return fmt::format("{:.2f} - {:.2f}", taken.ratio(0.25, peer, i), taken.ratio(0.75, peer, i));
      };
      fmt::print("| {}{} | {} | {} | {} | {} | {} | {} |\n", name, metrics[i].name, time(0), of(1, time), of(1, ratio),
                 of(1, quartiles), of(2, time), of(2, ratio));
    }
    static_cast<void>(std::fflush(stdout));
  }

 private:
  std::string only_;
};

}  // namespace dmmap::bench
