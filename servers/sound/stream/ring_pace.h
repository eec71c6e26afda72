// RingPace: a stream's format, how its ring is divided, and how far its clock has come; the same for both directions.
//
// Bytes are counted from when the stream was last reset, round after round of the ring.
//
// Promises: when the server itself is late, by more than half a fragment, progress() stops at the end of a fragment and
// says by how much the clock has to slip: it doesn't run over fragments that a client had no chance to attend to.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "servers/sound/audio/format.h"
#include "servers/sound/stream/fragments.h"
#include "servers/sound/stream/stream_clock.h"

namespace dmmap::sound {

class RingPace {
 public:
  /// `ring_bytes`: the most that a ring can have.
  explicit RingPace(std::uint64_t ring_bytes) : choice_(ring_bytes) {}

  [[nodiscard]] const AudioFormat& format() const { return format_; }
  void set_format(const AudioFormat& format) { format_ = format; }
  [[nodiscard]] FragmentChoice& choice() { return choice_; }
  [[nodiscard]] Fragments fragments() const { return choice_.fragments(format_); }
  [[nodiscard]] std::uint64_t frame() const { return frame_bytes(format_); }
  [[nodiscard]] Nanoseconds lasting(std::uint64_t bytes) const {
    return Nanoseconds(static_cast<std::int64_t>(bytes * 1'000'000'000 / bytes_a_second(format_)));
  }

  /// From `at` on the clock runs, and is at byte `done`.
  void start(Time at, std::uint64_t done) { clock_.start(at, done / frame(), format_.rate); }
  /// When the clock is at `byte`.
  [[nodiscard]] Time time_of(std::uint64_t byte) const { return clock_.time_of(byte / frame()); }
  /// The end of the fragment that byte `done` is in.
  [[nodiscard]] std::uint64_t boundary_after(std::uint64_t done) const {
    const std::uint64_t size = fragments().size;
    return (done / size + 1) * size;
  }

  struct Progress {
    std::uint64_t end = 0;            ///< the byte that the stream comes to
    std::optional<Nanoseconds> late;  ///< by how much the clock has to slip then
  };
  /// How far `now` lets a stream come that is at `done`. `limit`: what there is to play, or room for.
  [[nodiscard]] Progress progress(std::uint64_t done, std::uint64_t limit, Time now) const;

 private:
  [[nodiscard]] Nanoseconds tolerance() const;

  AudioFormat format_;
  FragmentChoice choice_;
  StreamClock clock_;
};

}  // namespace dmmap::sound
