// How much of something is wished for, where the usual is short: by a variable of the environment.
#pragma once

#include <cstdlib>

namespace dmmap::testing {

/// The number that the environment's `variable` is, or `usual` where there's none.
[[nodiscard]] inline int wished(const char* variable, int usual) {
  const char* const text = std::getenv(variable);    // NOLINT(concurrency-mt-unsafe)
  return text != nullptr ? std::atoi(text) : usual;  // NOLINT(cert-err34-c)
}

}  // namespace dmmap::testing
