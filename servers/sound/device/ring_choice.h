// What programs map as their ring, by what the mount can do.
//
// Thread safety: every function, from any thread.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>

#include <string>

namespace dmmap::sound {

/// `dmmap sound --ring`.
enum class RingWish { automatic, shared, paged };

/// shared: memory of the server's and the client's (SharedRegion). paged: pages of the kernel's page cache
/// (PagedRegion), for which no privilege is needed. none: programs can't map, but write.
enum class RingKind { shared, paged, none };

struct RingChoice {
  RingKind kind = RingKind::none;
  std::string because;  ///< what is in the way of the better ones; empty when it's the best
  std::string remedy;   ///< what to do about that
};

/// "auto", "shared" or "paged". Errors: EINVAL.
[[nodiscard]] Result<RingWish> parse_ring_wish(const std::string& text);

/// What was wished for by name, or the best that a mount with `capabilities` can have.
/// Errors: ENOTSUP, with what to do, when what was wished for by name can't be had.
[[nodiscard]] Result<RingChoice> choose_rings(RingWish wish, const Capabilities& capabilities);

/// "rings are shared memory", "rings are paged: ...", as the log and `dmmap probe` have it.
[[nodiscard]] std::string describe(const RingChoice& choice);

}  // namespace dmmap::sound
