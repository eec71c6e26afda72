// The ioctls of /dev/dsp, by number: what each does to an open's two directions, and what it answers.
//
// Promises: every number and every input gets an answer; what Linux's OSS refuses is refused with the same error
// (sound/core/oss/pcm_oss.c). Meanings: linux/soundcard.h and the OSS 4 programming guide. Thread safety: as
// PlaybackStream's and CaptureStream's; ioctl_name() from any thread.
//
// SNDCTL_DSP_SYNC and SNDCTL_DSP_NONBLOCK aren't here: the one waits, the other is about the open file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "servers/device/ioctl_answer.h"
#include "servers/sound/device/card_ioctls.h"
#include "servers/sound/mix/levels.h"
#include "servers/sound/stream/capture_stream.h"
#include "servers/sound/stream/playback_stream.h"

namespace dmmap::sound {

/// How loud a stream is, besides the card's own levels (mix/levels.h).
struct StreamLevels {
  Level playback;
  Level recording;
};

/// The two directions of an open; null: it hasn't that one.
struct DspHalves {
  PlaybackStream* playback = nullptr;
  CaptureStream* capture = nullptr;
  StreamLevels& levels;
};

[[nodiscard]] device::IoctlAnswer answer_ioctl(const DspHalves& halves, const CardFacts& card, Levels& card_levels,
                                               Time now, std::uint32_t command, std::span<const std::byte> input);

/// Whether a client that asks this is told the ring's size or has it played: PlaybackStream::silence_wanted() comes
/// first.
[[nodiscard]] bool leads_to_the_ring(std::uint32_t command);

/// "SNDCTL_DSP_SPEED"; empty for a number that isn't OSS's.
[[nodiscard]] std::string_view ioctl_name(std::uint32_t command);

}  // namespace dmmap::sound
