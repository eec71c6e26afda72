// WavSink: the mix as a WAV file of 16 bits, by libsndfile.
//
// Promises: the file is readable at any time, but for the last quarter of a second, even when the server is killed. On
// a full disk, and at 4 GiB, which WAV's header can't exceed, it keeps what it has, and drops the rest. Thread safety:
// one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "servers/sound/format.h"
#include "servers/sound/sink.h"

struct sf_private_tag;

namespace dmmap::sound {

class WavSink final : public Sink {
 public:
  /// Makes `file`, or empties it. Errors: what open(2) says.
  [[nodiscard]] static Result<std::unique_ptr<WavSink>> create(std::string file);
  /// Completes the header. A file that was never started is one of no frames, 48 kHz stereo.
  ~WavSink() override;

  Result<void> start(const SinkFormat& format) override;
  Result<void> write(std::span<const float> samples) override;
  Result<void> sync() override;

 private:
  struct Close {
    void operator()(sf_private_tag* file) const;
  };
  WavSink(std::string name, int fd) : name_(std::move(name)), fd_(fd) {}
  [[nodiscard]] Error broken(const std::string& why);
  void update_header();

  std::string name_;
  int fd_;
  SinkFormat format_;
  std::unique_ptr<sf_private_tag, Close> file_;
  std::vector<std::int16_t> samples_;
  std::uint64_t bytes_ = 0;            // of samples in the file
  std::uint64_t bytes_in_header_ = 0;  // that its header tells of
  bool broken_ = false;
};

}  // namespace dmmap::sound
