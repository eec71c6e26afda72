#include "preload/descriptor_table.h"

namespace dmmap::preload {

constinit DescriptorTable descriptors;

int DescriptorTable::next_held(unsigned fd) const {
  if (!any_held()) {
    return -1;
  }
  for (unsigned at = fd; at < kMost;) {
    const std::uint64_t word = held_[at / 64].load(std::memory_order_relaxed) >> at % 64;
    if (word != 0) {
      return static_cast<int>(at) + __builtin_ctzll(word);
    }
    at = (at / 64 + 1) * 64;
  }
  return -1;
}

}  // namespace dmmap::preload
