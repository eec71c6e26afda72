// What the model test does to a paged file: one operation of one actor.
#pragma once

#include <cstdint>
#include <ostream>

namespace dmmap::testing {

enum class Verb : std::uint8_t {
  load,
  store,
  pread,
  pwrite,
  msync,
  fsync,
  truncate,
  evict,  ///< the client forgets its pages, and the kernel drops what is clean
  leave,  ///< all who may write unmap and close; each comes back when it's its turn
  server_read,
  server_write,
  server_unmap,
  server_discard,
  server_resize,
  together,      ///< all actors store at once into neighbouring bytes, perhaps while the server unmaps
  delay_faults,  ///< from now on they're answered a little later, by another thread; or no longer
  supply_more,   ///< from now on more pages are supplied than asked for; or no longer
  delay_writebacks,
  fail_writebacks,
};
inline constexpr int kVerbs = 19;

struct Operation {
  Verb verb = Verb::load;
  std::uint32_t client = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  char fill = 'a';
  bool on = false;
};

std::ostream& operator<<(std::ostream& out, const Operation& operation);

}  // namespace dmmap::testing
