// MixerDevice: one open of `mixer`.
//
// Promises: as answer_card_ioctl(); all opens, and the ioctls of `dsp`, set the same levels. There's nothing to read,
// to write or to map, as on Linux (sound/core/oss/mixer_oss.c). Thread safety: every call, from any thread.
#pragma once

#include <dmmap/device.h>

#include "servers/sound/device/card_ioctls.h"

namespace dmmap::sound {

class MixerDevice final : public Stream {
 public:
  /// `levels` outlive it.
  MixerDevice(CardFacts card, Levels& levels) : card_(std::move(card)), levels_(levels) {}

  void read(const ReadRequest& request, Reply<Data> reply) override;
  void write(const WriteRequest& request, Reply<Written> reply) override;
  void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) override;

 private:
  const CardFacts card_;
  Levels& levels_;
};

}  // namespace dmmap::sound
