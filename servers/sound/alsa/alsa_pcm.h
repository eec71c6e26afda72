// AlsaPcm: a PCM of ALSA's library, opened without waiting: a card ("hw:0"), or what asound.conf calls by that name.
//
// Promises: interleaved frames of one of our encodings, as near to what was wanted as the PCM has it. ALSA's own
// messages don't go to stderr, but into the Error. Thread safety: one thread at a time.
#pragma once

#include <dmmap/error.h>

#include <memory>
#include <string>

#include "servers/sound/audio/format.h"

struct _snd_pcm;  // NOLINT(bugprone-reserved-identifier): ALSA's name

namespace dmmap::sound {

class AlsaPcm {
 public:
  enum class Direction { playback, capture };
  struct Wish {
    unsigned rate = 48000;
    unsigned channels = 2;
    unsigned bits = 16;        ///< worth keeping
    unsigned start_after = 0;  ///< frames that are written before playback starts by itself
  };
  /// Errors: what ALSA says, EBUSY and ENOENT among it; EINVAL when it has none of our encodings.
  [[nodiscard]] static Result<std::unique_ptr<AlsaPcm>> open(const std::string& name, Direction direction,
                                                             const Wish& wish);
  AlsaPcm(const AlsaPcm&) = delete;
  AlsaPcm& operator=(const AlsaPcm&) = delete;
  ~AlsaPcm();

  [[nodiscard]] _snd_pcm* handle() const { return pcm_; }
  [[nodiscard]] const AudioFormat& format() const { return format_; }
  /// After `code` of a read or a write: goes on after an xrun or a suspend. Errors: the PCM has gone.
  [[nodiscard]] Result<void> recover(long code);

 private:
  AlsaPcm() = default;
  Result<void> set_up(const Wish& wish);
  _snd_pcm* pcm_ = nullptr;
  AudioFormat format_;
};

}  // namespace dmmap::sound
