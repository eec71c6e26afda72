// Recorder: what a source brings, as bytes of one stream's format.
//
// Promises: a source of the stream's rate and channels comes bit for bit, as far as the encoding goes; nothing of it is
// skipped or doubled while the format stays. Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "servers/sound/audio/converter.h"
#include "servers/sound/audio/format.h"
#include "servers/sound/mix/levels.h"
#include "servers/sound/sources/source.h"

namespace dmmap::sound {

class Recorder {
 public:
  Recorder(std::unique_ptr<Recording> recording, const AudioFormat& format);

  /// The stream has another format from now on.
  void set_format(const AudioFormat& format);
  /// Fills `bytes`, whole frames, with what comes next.
  void record(std::span<std::byte> bytes, Gain gain);
  /// What came while nothing was recorded may go.
  void skip() { recording_->skip(); }

 private:
  /// `frames` more from the source, in the stream's rate and channels, at the end of ready_; perhaps a few more or
  /// less.
  void fetch(std::size_t frames);

  std::unique_ptr<Recording> recording_;
  SourceFormat from_;
  AudioFormat format_;
  std::optional<Converter> convert_;
  std::vector<float> ready_;  // in the stream's rate and channels
};

}  // namespace dmmap::sound
