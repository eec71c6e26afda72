#include "servers/device/client.h"

#include <fmt/format.h>

#include <fstream>

namespace dmmap::device {

std::string program_of(std::uint32_t pid) {
  std::string name;
  std::ifstream comm(fmt::format("/proc/{}/comm", pid));
  const bool known = pid != 0 && std::getline(comm, name) && !name.empty();
  return known ? name : "?";
}

}  // namespace dmmap::device
