// AlsaInput: an Input that is a PCM of ALSA.
//
// Promises: after an xrun it goes on. A PCM that has no time of its own (null, file) brings no more than the machine's
// clock has it. Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "servers/sound/alsa/alsa_pcm.h"
#include "servers/sound/live/input.h"

namespace dmmap::sound {

class AlsaInput final : public Input {
 public:
  explicit AlsaInput(std::string pcm) : name_(std::move(pcm)) {}

  [[nodiscard]] Result<SourceFormat> open(const SourceFormat& wanted) override;
  [[nodiscard]] Result<void> read(std::vector<float>& samples) override;
  void close() override { pcm_.reset(); }

 private:
  std::string name_;
  std::unique_ptr<AlsaPcm> pcm_;
  std::chrono::steady_clock::time_point opened_;
  std::uint64_t frames_ = 0;  // since then
  std::vector<std::byte> bytes_;
};

}  // namespace dmmap::sound
