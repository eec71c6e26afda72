// Source: where what programs record comes from.
//
// Promises: each recording that begins is one program's own, and is read at the pace of that program's stream. What
// isn't there (a file has ended, a server of sound has gone) is silence, so a reader never waits. Thread safety:
// Source: every call, from any thread. Recording: one thread at a time.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace dmmap::sound {

struct SourceFormat {
  unsigned rate = 48000;  ///< Hz
  unsigned channels = 2;
  bool operator==(const SourceFormat&) const = default;
};

/// What one program records, until it's destroyed. It may outlive its Source.
class Recording {
 public:
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  virtual ~Recording() = default;

  /// Of the samples that read() brings; it doesn't change.
  [[nodiscard]] virtual SourceFormat format() const = 0;
  /// Fills `samples`, whole frames, with what comes next, full scale being 1.0. Doesn't wait.
  virtual void read(std::span<float> samples) = 0;
  /// Time has passed that isn't to be recorded (the program was too slow): what came in the meantime may go.
  virtual void skip() {}
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// Begins a recording; `wanted` is what the program will make of it, and no promise.
  /// Errors: what the system says; the program's call fails with that.
  [[nodiscard]] virtual Result<std::unique_ptr<Recording>> begin(const SourceFormat& wanted) = 0;
};

/// Silence for ever.
class SilentSource final : public Source {
 public:
  [[nodiscard]] Result<std::unique_ptr<Recording>> begin(const SourceFormat& wanted) override;
};

/// Which source is to be opened.
struct SourceChoice {
  enum class Kind { none, silence, wav, pulse, alsa };
  Kind kind = Kind::silence;
  std::string name{};  ///< the WAV file; the source of PulseAudio, or none; the PCM of ALSA
};

/// What `spec` says: "silence", "none", "wav:FILE", "pulse", "pulse:SOURCE", "alsa" or "alsa:PCM".
/// Errors: EINVAL for anything else.
[[nodiscard]] Result<SourceChoice> parse_source(std::string_view spec);

/// Null for `none`: programs can't record. A sound server or a card that isn't there is no error: it's waited for, and
/// the log says so. Errors: what the system says of the file; EINVAL when it's no sound file.
[[nodiscard]] Result<std::unique_ptr<Source>> open_source(const SourceChoice& choice, const LogSink& log);

}  // namespace dmmap::sound
