#include "servers/sound/audio/wav_channels.h"

#include <array>

namespace dmmap::sound {

// A WAV file's order is left, right, centre, bass, rear left, rear
// right, side left, side right, or for seven left, right, centre, bass, rear, left, right (Microsoft,
// WAVEFORMATEXTENSIBLE).
std::span<const unsigned> wav_order(unsigned channels) {
  static constexpr std::array<unsigned, 8> kAsIs{0, 1, 2, 3, 4, 5, 6, 7};
  static constexpr std::array<unsigned, 5> kFive{0, 1, 4, 2, 3};
  static constexpr std::array<unsigned, 6> kSix{0, 1, 4, 5, 2, 3};
  static constexpr std::array<unsigned, 7> kSeven{0, 1, 4, 5, 6, 2, 3};
  static constexpr std::array<unsigned, 8> kEight{0, 1, 4, 5, 2, 3, 6, 7};
  switch (channels) {
    case 5:
      return kFive;
    case 6:
      return kSix;
    case 7:
      return kSeven;
    case 8:
      return kEight;
    default:
      return std::span(kAsIs).first(channels);
  }
}

}  // namespace dmmap::sound
