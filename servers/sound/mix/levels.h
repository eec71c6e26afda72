// Levels: how loud everything is, as the mixer device, the command line and OSS 4's volume ioctls set it.
//
// Promises: a value that was set is heard within two periods of the mix, by a ramp, so that nothing clicks. At 100 %,
// where everything begins, samples pass unchanged. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/thread_safety.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace dmmap::sound {

/// A control's setting. Percent, 0 to 100, of OSS's mixer; muted is remembered beside it.
struct Level {
  unsigned left = 100;
  unsigned right = 100;
  bool muted = false;
  bool operator==(const Level&) const = default;
};

/// What a sample is multiplied by, on the left and on the right. The cube of the setting, as PulseAudio's software
/// volumes have it: half way sounds about half as loud.
struct Gain {
  float left = 1;
  float right = 1;
  bool operator==(const Gain&) const = default;
};

[[nodiscard]] constexpr float gain_of(unsigned percent) {
  const float part = static_cast<float>(std::min(percent, 100U)) / 100.0F;
  return part * part * part;
}
[[nodiscard]] constexpr Gain gain_of(const Level& level) {
  return level.muted ? Gain{0, 0} : Gain{gain_of(level.left), gain_of(level.right)};
}
[[nodiscard]] constexpr Gain operator*(const Gain& a, const Gain& b) {
  return {a.left * b.left, a.right * b.right};
}

/// The card's controls. Each stream has a Level of its own besides.
enum class Control : unsigned char {
  master,     ///< SOUND_MIXER_VOLUME: all that is played
  pcm,        ///< SOUND_MIXER_PCM: the same, for programs that know only that one
  recording,  ///< SOUND_MIXER_MIC: all that is recorded
};
inline constexpr std::size_t kControls = 3;

class Levels {
 public:
  [[nodiscard]] Level get(Control control) const {
    const MutexLock lock(lock_);
    return levels_[static_cast<std::size_t>(control)];
  }
  /// What is beyond 100 % becomes that.
  void set(Control control, const Level& level) {
    const MutexLock lock(lock_);
    levels_[static_cast<std::size_t>(control)] = {std::min(level.left, 100U), std::min(level.right, 100U), level.muted};
    ++changes_;
  }
  /// How often something was set: SOUND_MIXER_INFO's modify_counter.
  [[nodiscard]] unsigned changes() const {
    const MutexLock lock(lock_);
    return changes_;
  }
  /// Of all that is played.
  [[nodiscard]] Gain playback() const { return gain_of(get(Control::master)) * gain_of(get(Control::pcm)); }
  [[nodiscard]] Gain recording() const { return gain_of(get(Control::recording)); }

 private:
  mutable Mutex lock_;
  std::array<Level, kControls> levels_ DMMAP_GUARDED_BY(lock_){};
  unsigned changes_ DMMAP_GUARDED_BY(lock_) = 0;
};

}  // namespace dmmap::sound
