// What the kernel tells of a process in numbers (proc(5), status).
#pragma once

#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>

namespace dmmap::testing {

/// The number of `field`, as "VmRSS:", in the unit that it has there, of process `pid`, or "self"; 0 when there's none.
[[nodiscard]] inline std::size_t proc_status(const std::string& pid, std::string_view field) {
  std::ifstream status("/proc/" + pid + "/status");
  for (std::string word; status >> word;) {
    std::size_t value = 0;
    if (word == field && status >> value) {
      return value;
    }
  }
  return 0;
}

}  // namespace dmmap::testing
