// WavSink: the mix as a WAV file of 16 bits, by libsndfile.
//
// Promises: the file is readable at any time, but for the last quarter of a second, even when the server is killed. On
// a full disk, and at 4 GiB, which WAV's header can't exceed, it keeps what it has, and drops the rest. One process at
// a time records into a file: it's locked as flock(2) does. A sink that never began leaves its file as it found it.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "servers/sound/audio/format.h"
#include "servers/sound/sinks/sink.h"

struct sf_private_tag;

namespace dmmap::sound {

class WavSink final : public Sink {
 public:
  /// Makes `file` if it isn't there, and locks it. Errors: what open(2) says; EBUSY when another process has the lock.
  [[nodiscard]] static Result<std::unique_ptr<WavSink>> create(std::string file);
  /// Completes the header. A file that was never started is one of no frames, 48 kHz stereo.
  ~WavSink() override;

  /// Empties the file.
  Result<void> begin() override;
  Result<void> start(const SinkFormat& format) override;
  Result<void> write(std::span<const float> samples) override;
  Result<void> sync() override;

 private:
  struct Close {
    void operator()(sf_private_tag* file) const;
  };
  struct Opened {
    int fd = -1;
    bool regular = false;  // not a device or a pipe
    bool made = false;     // it wasn't there before
  };
  WavSink(std::string name, const Opened& opened)
      : name_(std::move(name)), fd_(opened.fd), regular_(opened.regular), made_(opened.made) {}
  /// Absent: the file was removed in the meantime.
  [[nodiscard]] static Result<std::optional<Opened>> open_and_lock(const std::string& file);
  [[nodiscard]] Error broken(const std::string& why);
  void complete();
  void remove_if_made() const;
  void update_header();

  std::string name_;
  int fd_;
  bool regular_;
  bool made_;
  bool begun_ = false;
  SinkFormat format_;
  std::unique_ptr<sf_private_tag, Close> file_;
  /// Of a sample in the file.
  [[nodiscard]] std::uint64_t sample_bytes() const { return format_.bits / 8; }

  std::vector<std::int16_t> narrow_;   // of 16 bits
  std::vector<std::int32_t> wide_;     // of 24, in the upper bits, as libsndfile wants them
  std::uint64_t bytes_ = 0;            // of samples in the file
  std::uint64_t bytes_in_header_ = 0;  // that its header tells of
  bool broken_ = false;
};

}  // namespace dmmap::sound
