// WavSource: a sound file, or any that libsndfile reads, as what programs record.
//
// Promises: each recording has the file from its beginning, sample by sample, and silence after its end. A file that
// goes away, or gets shorter, while it's read is silence from there on, and the log says so once. Thread safety: as
// Source.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "servers/sound/sources/source.h"

namespace dmmap::sound {

class WavSource final : public Source {
 public:
  /// Errors: what open(2) says; EINVAL for what libsndfile can't read, or what has more than 8 channels.
  [[nodiscard]] static Result<std::unique_ptr<WavSource>> create(std::string file, LogSink log);

  [[nodiscard]] Result<std::unique_ptr<Recording>> begin(const SourceFormat& wanted) override;

 private:
  WavSource(std::string file, LogSink log) : file_(std::move(file)), log_(std::move(log)) {}
  std::string file_;
  LogSink log_;
};

}  // namespace dmmap::sound
