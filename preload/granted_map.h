// An mmap(2) that the server of the file is asked about (docs/per-mmap.md).
//
// Promises: what a MAP_FIXED request aims at stays as it is unless the whole mapping can be had. Thread safety: any
// thread; a signal handler may come in while the server is asked, and map as well.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>

namespace dmmap::preload {

/// mmap(2)'s arguments.
struct MapCall {
  void* address = nullptr;
  std::size_t length = 0;
  int prot = 0;
  int flags = 0;
  int fd = -1;
  off_t offset = 0;
};

/// The address that was mapped, or a negative errno; nothing where there's no server to ask: then it's as without this
/// library, and the descriptor is noted as foreign where that won't change.
[[nodiscard]] std::optional<long> map_by_grant(const MapCall& call);

}  // namespace dmmap::preload
