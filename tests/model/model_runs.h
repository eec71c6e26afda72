// What the model tests share: where operations happen, and how many cases are tried.
#pragma once

#include <rapidcheck.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "support/generators.h"
#include "support/wish.h"

namespace dmmap::testing {

/// From 0 to `most`; near where pages meet as often as anywhere else.
inline rc::Gen<std::uint64_t> offset_up_to(std::uint64_t most, std::uint64_t page) {
  // Shrinks to the first of these.
  static constexpr std::array<int, 9> kNear{0, 1, -1, 7, -7, 100, -100, 2000, -2000};
  const auto near = [page](const auto& pair) {
    return pair.first * page + static_cast<std::uint64_t>(kNear.at(pair.second));
  };
  return rc::gen::oneOf(
      in_range<std::uint64_t>(0, most + 1),
      rc::gen::map(in_range<std::uint64_t>(0, most / page + 1), [page](auto at) { return at * page; }),
      rc::gen::map(rc::gen::pair(in_range<std::uint64_t>(1, most / page), in_range<std::size_t>(0, kNear.size())),
                   near));
}

/// Has rapidcheck try `usual` cases, or $DMMAP_MODEL_CASES, of up to `most` operations. RC_PARAMS has the last word:
/// "seed=N" repeats a run.
inline void try_cases(int usual, int most) {
  const std::string cases = std::to_string(wished("DMMAP_MODEL_CASES", usual));
  const char* const given = std::getenv("RC_PARAMS");  // NOLINT(concurrency-mt-unsafe)
  const std::string parameters =
      "max_success=" + cases + " max_size=" + std::to_string(most) + " " + (given != nullptr ? given : "");
  ::setenv("RC_PARAMS", parameters.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace dmmap::testing
