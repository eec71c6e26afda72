// PulseInput: an Input that is a stream of a PulseAudio server.
//
// Promises: samples come as the server's source has them, so that a source of the rate and channels that are wanted is
// recorded unchanged; other rates and channels the server converts. Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "servers/sound/audio/format.h"
#include "servers/sound/live/input.h"
#include "servers/sound/pulse/pulse_connection.h"

namespace dmmap::sound {

class PulseInput final : public Input {
 public:
  /// `source`: its name, or empty for the server's default.
  explicit PulseInput(std::string source) : source_(std::move(source)) {}
  ~PulseInput() override { close(); }

  [[nodiscard]] Result<SourceFormat> open(const SourceFormat& wanted) override;
  [[nodiscard]] Result<void> read(std::vector<float>& samples) override;
  void close() override;

 private:
  std::string source_;
  std::unique_ptr<PulseConnection> connection_;
  Encoding encoding_ = Encoding::float32;
};

}  // namespace dmmap::sound
