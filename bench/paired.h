// Times of the same operation on several subjects, taken in turns, so that whatever else the machine does meets all.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace dmmap::bench {

/// One run on one subject: its times, in microseconds, one for each thing that it measures. An empty one is of a
/// subject that can't take part.
using Operation = std::function<std::vector<double>()>;

template <class Body>
double microseconds(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

/// REQUIRES: `values` isn't empty.
inline double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

/// The rounds of one measurement.
class Rounds {
 public:
  /// Runs each of `subjects` once a round, in turns which comes first. `uncounted` rounds go before, for caches to
  /// fill.
  Rounds(int rounds, int uncounted, const std::vector<Operation>& subjects) : times_(subjects.size()) {
    for (int round = -uncounted; round < rounds; ++round) {
      for (std::size_t turn = 0; turn < subjects.size(); ++turn) {
        const std::size_t subject = (turn + static_cast<std::size_t>(round + uncounted)) % subjects.size();
        if (!subjects[subject]) {
          continue;
        }
        auto taken = subjects[subject]();
        if (round >= 0) {
          times_[subject].push_back(std::move(taken));
        }
      }
    }
  }

  [[nodiscard]] double median(std::size_t subject, std::size_t metric = 0) const {
    return quantile(of(subject, metric), 0.5);
  }
  /// A quantile of the rounds' own ratios, of the first subject to `peer`.
  [[nodiscard]] double ratio(double part, std::size_t peer, std::size_t metric = 0) const {
    std::vector<double> ratios = of(0, metric);
    const std::vector<double> others = of(peer, metric);
    for (std::size_t i = 0; i < ratios.size(); ++i) {
      ratios[i] /= others[i];
    }
    return quantile(std::move(ratios), part);
  }

 private:
  [[nodiscard]] std::vector<double> of(std::size_t subject, std::size_t metric) const {
    std::vector<double> values;
    for (const auto& round : times_[subject]) {
      values.push_back(round[metric]);
    }
    return values;
  }
  std::vector<std::vector<std::vector<double>>> times_;  // by subject, round, metric
};

}  // namespace dmmap::bench
