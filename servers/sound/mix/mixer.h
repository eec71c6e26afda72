// Mixer: sums what streams have played and gives it to the sink.
//
// The sink's time runs while something plays. A stream that begins while others play is placed where they were at that
// moment; one that begins alone follows what came before, so the sink has no long silences. The mix is made up to where
// all streams that play have come, so that a resampler's delay shifts none of them.
//
// Promises: each frame of each stream is in the sink once. One stream alone, of the sink's format, passes unchanged,
// unless it's beyond full scale itself or a level isn't 100 %. What would be beyond full scale is made quieter
// (limiter.h). When the sink fails that's logged once, and failed() says so; everything else goes on. Thread safety:
// one thread at a time, except failed().
#pragma once

#include <dmmap/log.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "servers/sound/audio/chunk.h"
#include "servers/sound/mix/levels.h"
#include "servers/sound/mix/limiter.h"
#include "servers/sound/mix/voice.h"
#include "servers/sound/sinks/sink.h"

namespace dmmap::sound {

/// What the sink is to have; absent: as the first stream that plays.
struct MixFormat {
  std::optional<unsigned> rate;      ///< Hz
  std::optional<unsigned> channels;  ///< 1 to 8
};

/// What one stream has played since the last time.
struct Part {
  std::uint64_t stream = 0;
  std::vector<Chunk> chunks;
  Gain gain{};  ///< how loud the stream is, besides the card's levels
};

class Mixer {
 public:
  /// `levels` outlive it.
  Mixer(std::unique_ptr<Sink> sink, MixFormat wanted, const Levels& levels, LogSink log);

  /// The server serves: the sink's previous content may go.
  void begin();
  /// Mixes what was played until `now`, by all streams.
  void mix(Time now, const std::vector<Part>& parts);
  /// Nothing more will come: gives the sink all that there is.
  void finish();
  /// Makes what is in the sink safe.
  void sync();
  [[nodiscard]] bool failed() const { return failed_.load(); }
  /// Frames given to the sink.
  [[nodiscard]] std::uint64_t frames() const { return frames_; }

 private:
  // A moment, and the frame of the sink that belongs to it.
  struct Reference {
    Time time{};
    double frame = 0;
  };
  // A stream's chunks from where it begins until it ends.
  struct Run {
    std::uint64_t stream = 0;
    std::span<const Chunk> chunks;
  };

  void start_sink(const AudioFormat& first);
  [[nodiscard]] Nanoseconds common_slip(std::span<const Part> parts) const;
  static void feed(Voice& voice, std::span<const Chunk> run, Nanoseconds excused);
  [[nodiscard]] std::optional<Reference> reference(Time now) const;
  [[nodiscard]] std::uint64_t place(const Run& run, const std::optional<Reference>& reference);
  [[nodiscard]] std::uint64_t complete_until() const;
  void emit(std::uint64_t until);
  void set_gains(const std::vector<Part>& parts);
  /// Gives the sink what the limiter holds back; nothing plays any more.
  void play_out();
  void report(const Result<void>& result);

  std::unique_ptr<Sink> sink_;
  MixFormat wanted_;
  const Levels& levels_;
  LogSink log_;
  std::optional<SinkFormat> format_;
  std::optional<Limiter> limiter_;
  std::map<std::uint64_t, Voice> voices_;
  std::uint64_t frames_ = 0;
  std::atomic<bool> failed_{false};
};

}  // namespace dmmap::sound
