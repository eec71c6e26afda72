// The order of channels in a WAV file, which isn't OSS's (channels.h).
//
// Thread safety: from any thread.
#pragma once

#include <span>

namespace dmmap::sound {

/// For each channel of a WAV file, which of ours it is. REQUIRES: 1 to 8 channels.
[[nodiscard]] std::span<const unsigned> wav_order(unsigned channels);

}  // namespace dmmap::sound
