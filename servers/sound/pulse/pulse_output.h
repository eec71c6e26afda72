// PulseOutput: an Output that is a stream of a PulseAudio server.
//
// Promises: what the server gets is the mix itself, S16 or FLOAT; rates and channels of its devices are the server's to
// see to. Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "servers/sound/live/output.h"
#include "servers/sound/pulse/pulse_connection.h"

namespace dmmap::sound {

class PulseOutput final : public Output {
 public:
  /// `sink`: its name, or empty for the server's default.
  explicit PulseOutput(std::string sink) : sink_(std::move(sink)) {}
  ~PulseOutput() override { close(); }

  [[nodiscard]] Result<SinkFormat> open(const SinkFormat& wanted) override;
  [[nodiscard]] Result<std::size_t> write(std::span<const float> samples) override;
  void play_out() override;
  [[nodiscard]] bool played_out() override;
  void close() override;

 private:
  void forget_draining();
  std::string sink_;
  std::unique_ptr<PulseConnection> connection_;
  SinkFormat format_;
  std::vector<std::int16_t> narrow_;
  pa_operation* draining_ = nullptr;
};

}  // namespace dmmap::sound
