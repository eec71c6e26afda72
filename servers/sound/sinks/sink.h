// Sink: where the mix goes.
//
// Promises: gets frame after frame, only while something is playing, from one thread. What it can't take it drops and
// says so in the Result; the caller goes on. Thread safety: one thread at a time.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace dmmap::sound {

struct SinkFormat {
  unsigned rate = 48000;
  unsigned channels = 2;
  unsigned bits = 16;  ///< of a sample that are worth keeping, 16 or 24
  bool operator==(const SinkFormat&) const = default;
};

class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  /// Once, when it's certain that the server serves: what the sink had before may go. Nothing is changed until then.
  virtual Result<void> begin() { return {}; }
  /// Once, before the first frame. Errors: the sink can't have this format.
  virtual Result<void> start(const SinkFormat& format) = 0;
  /// Takes `samples`, full scale being 1.0, the channels of a frame side by side.
  virtual Result<void> write(std::span<const float> samples) = 0;
  /// Nothing plays any more, for now: what was written is to be heard to its end.
  virtual Result<void> idle() { return {}; }
  /// Makes what was written safe and readable by others.
  virtual Result<void> sync() = 0;
};

/// Drops everything.
class NullSink final : public Sink {
 public:
  Result<void> start(const SinkFormat& /*format*/) override { return {}; }
  Result<void> write(std::span<const float> /*samples*/) override { return {}; }
  Result<void> sync() override { return {}; }
};

/// Which sink is to be opened.
struct SinkChoice {
  enum class Kind { null, wav, pulse, alsa };
  Kind kind = Kind::null;
  std::string name{};  ///< the WAV file; the sink of PulseAudio, or none; the PCM of ALSA

  /// Whether it plays for people who listen, and not for a file.
  [[nodiscard]] bool live() const { return kind == Kind::pulse || kind == Kind::alsa; }
};

/// What `spec` says: "null", "wav:FILE", "pulse", "pulse:SINK", "alsa" or "alsa:PCM". Errors: EINVAL for anything else.
[[nodiscard]] Result<SinkChoice> parse_sink(std::string_view spec);

/// A sound server or a card that isn't there is no error: it's waited for, and the log says so.
/// Errors: what the system says of the file; EBUSY when another process records into it.
[[nodiscard]] Result<std::unique_ptr<Sink>> open_sink(const SinkChoice& choice, const LogSink& log);

}  // namespace dmmap::sound
