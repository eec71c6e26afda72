// Fragments: how a stream's ring is divided (OSS 4 programming guide, SNDCTL_DSP_SETFRAGMENT and SNDCTL_DSP_SUBDIVIDE).
//
// Promises: whatever a program asks for, the ring fits into its region, has two fragments at least, and a fragment is a
// power of two of bytes where that is whole frames; otherwise as many frames as fit into that. Thread safety: one
// thread at a time.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <optional>

#include "servers/sound/audio/format.h"

namespace dmmap::sound {

struct Fragments {
  std::uint32_t size = 0;   ///< bytes
  std::uint32_t count = 0;  ///< of them in the ring
  [[nodiscard]] std::uint64_t ring_bytes() const { return std::uint64_t{size} * count; }
  bool operator==(const Fragments&) const = default;
};

/// What a program has asked for, and what it gets.
class FragmentChoice {
 public:
  /// `region_bytes` is what there is at most; 2 KiB or more.
  explicit FragmentChoice(std::uint64_t region_bytes) : region_bytes_(region_bytes) {}

  /// SNDCTL_DSP_SETFRAGMENT: the low 16 bits of `value` are the logarithm of the size, the high 16 bits the most
  /// fragments there may be. Sizes are brought into 16 bytes to 64 KiB, counts into 2 to what fits; 0 is 32. Errors:
  /// EINVAL for a logarithm of 25 or more, and when the division was already chosen, as Linux has it
  /// (sound/core/oss/pcm_oss.c).
  Result<void> set(std::uint32_t value);

  /// SNDCTL_DSP_SUBDIVIDE: fragments of 1/`parts` of the usual size, 1, 2, 4, 8 or 16; 0 asks.
  /// Errors: EINVAL for others, and when the division was already chosen.
  Result<std::uint32_t> subdivide(std::uint32_t parts);

  /// What a stream of `format` gets. Without a choice: eight fragments of a 32nd to a 16th of a second.
  [[nodiscard]] Fragments fragments(const AudioFormat& format) const;

 private:
  std::uint64_t region_bytes_;
  std::optional<Fragments> chosen_;
  std::uint32_t parts_ = 0;
};

}  // namespace dmmap::sound
