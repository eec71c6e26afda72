// AlsaOutput: an Output that is a PCM of ALSA.
//
// Promises: after an xrun it starts anew, with a cushion. A PCM that takes whatever it gets at once (null, file) gets
// everything. Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "servers/sound/alsa/alsa_pcm.h"
#include "servers/sound/live/output.h"

namespace dmmap::sound {

class AlsaOutput final : public Output {
 public:
  explicit AlsaOutput(std::string pcm) : name_(std::move(pcm)) {}

  [[nodiscard]] Result<SinkFormat> open(const SinkFormat& wanted) override;
  [[nodiscard]] Result<std::size_t> write(std::span<const float> samples) override;
  void play_out() override;
  [[nodiscard]] bool played_out() override;
  void close() override { pcm_.reset(); }

 private:
  std::string name_;
  std::unique_ptr<AlsaPcm> pcm_;
  std::vector<std::byte> bytes_;
};

}  // namespace dmmap::sound
