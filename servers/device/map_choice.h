// What programs map of a device, by what the mount can do.
//
// Thread safety: every function, from any thread.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>
#include <dmmap/region.h>

#include <memory>
#include <string>

namespace dmmap::device {

/// What is asked for on the command line.
enum class MapWish { automatic, shared, paged };

/// shared: memory of the server's and the client's (SharedRegion). paged: pages of the kernel's page cache
/// (PagedRegion), for which no privilege is needed. none: programs can't map, but read and write.
enum class MapKind { shared, paged, none };

/// How a device speaks of what it has to map.
struct MapWords {
  const char* option;   ///< "--ring"
  const char* plural;   ///< "rings"
  const char* without;  ///< "programs can write, but not mmap"
};

struct MapChoice {
  MapKind kind = MapKind::none;
  std::string because;  ///< what is in the way of the better ones; empty when it's the best
  std::string remedy;   ///< what to do about that
};

/// "auto", "shared" or "paged". Errors: EINVAL.
[[nodiscard]] Result<MapWish> parse_map_wish(const MapWords& words, const std::string& text);

/// What was wished for by name, or the best that a mount with `capabilities` can have.
/// Errors: ENOTSUP, with what to do, when what was wished for by name can't be had.
[[nodiscard]] Result<MapChoice> choose_map(const MapWords& words, MapWish wish, const Capabilities& capabilities);

/// "rings are shared memory", "rings are paged: ...", as the log and `dmmap probe` have it.
[[nodiscard]] std::string describe(const MapWords& words, const MapChoice& choice);

/// A region of that kind, its pages zeros; null for MapKind::none. Errors: those of SharedRegion::create,
/// MemoryPages::create and PagedRegion::create.
[[nodiscard]] Result<std::shared_ptr<Region>> make_region(MapKind kind, const SharedRegionOptions& options);

}  // namespace dmmap::device
