// The ioctls about the card rather than one open of it: its mixer (OSS 3.8, linux/soundcard.h) and what OSS 4 tells
// about devices (SNDCTL_SYSINFO and the like).
//
// The mixer has VOLUME and PCM, which are the same to who hears it and are multiplied, and MIC, how loud what is
// recorded is. A value has the left side's percent in its low byte, the right side's in the next.
//
// Promises: every number and every input gets an answer; what Linux's mixer refuses is refused with the same error
// (sound/core/oss/mixer_oss.c). Thread safety: every function, from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "servers/device/ioctl_answer.h"
#include "servers/sound/mix/levels.h"

namespace dmmap::sound {

/// What is so for every stream of a mount.
struct CardFacts {
  bool mmap = false;       ///< clients can map a ring
  bool record = false;     ///< there's a source
  std::string mountpoint;  ///< where `dsp` and `mixer` are
};

/// PCM_CAP_ bits of SNDCTL_DSP_GETCAPS and SNDCTL_AUDIOINFO.
[[nodiscard]] int capabilities(const CardFacts& card);
/// AFMT_ bits of all there are.
[[nodiscard]] int all_formats();
/// A level, as OSS has it, and the other way. What is beyond 100 % becomes that.
[[nodiscard]] unsigned oss_volume(const Level& level);
[[nodiscard]] Level with_oss_volume(Level level, int value);

/// Nothing for a number that isn't about the card.
[[nodiscard]] std::optional<device::IoctlAnswer> answer_card_ioctl(const CardFacts& card, Levels& levels,
                                                                   std::uint32_t command,
                                                                   std::span<const std::byte> input);

}  // namespace dmmap::sound
