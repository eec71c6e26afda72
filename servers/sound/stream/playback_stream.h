// PlaybackStream: one open device's ring and what is heard of it, as OSS programs know it; nothing of FUSE.
//
// The ring that clients map is a region, which isn't touched here: its calls may wait for the very threads that answer
// clients, so they are made where no lock is held. due() says what is to be copied out of the ring, supply() brings it.
//
// A stream is played in one of two ways, and which one is inferred, since the server isn't told of mmap(2): triggered
// with nothing written, the ring itself is played, round and round (`mapped`); from the first write() on what was
// written is played, once, and the region has no part in it (`written`).
//
// Promises: what is played comes out of take() byte by byte, in order, none lost or doubled. The position that a client
// is told never runs ahead of what has been copied out of the ring. When the server itself is late the clock of the
// stream stands still rather than running over fragments that a client had no chance to fill: that's a slip.
//
// Invariants: 1. played_ <= written_ on the written path, and their difference fits into the ring; 2. while running_,
// pace_ says that byte played_ is due at or before any `now` seen; 3. chunks_ is empty or its last
// chunk takes the next bytes, unless it ends; 4. on the mapped path ring_ has the bytes from played_ to copied_.
//
// Thread safety: one thread at a time. Calls with a `now` must not go back in time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "servers/sound/audio/chunk.h"
#include "servers/sound/stream/position.h"
#include "servers/sound/stream/ring.h"
#include "servers/sound/stream/ring_pace.h"

namespace dmmap::sound {

/// How what is played gets into the ring.
enum class Path { undecided, mapped, written };

class PlaybackStream {
 public:
  /// `ring_bytes`: the most that a ring can have. `mappable`: whether the client can map it at all; if it can't, a
  /// trigger never means the mapped path.
  PlaybackStream(std::uint64_t ring_bytes, bool mappable) : mappable_(mappable), pace_(ring_bytes) {}

  [[nodiscard]] const AudioFormat& format() const { return pace_.format(); }
  /// Takes `wanted` unless something is being played or waits to be. REQUIRES: it is supported.
  void set_format(Time now, const AudioFormat& wanted);
  /// As FragmentChoice. Errors: EINVAL, too, when the ring is in use.
  Result<void> set_fragments(std::uint32_t value);
  Result<std::uint32_t> subdivide(std::uint32_t parts);
  [[nodiscard]] Fragments fragments() const { return pace_.fragments(); }
  /// What to do to the ring before a client is told how large it is, and so before it maps.
  [[nodiscard]] std::optional<RingSilence> silence_wanted() const;

  /// Takes what fits, and plays it when a fragment is full.
  std::size_t write(Time now, std::span<const std::byte> bytes);
  /// SNDCTL_DSP_SETTRIGGER: lets the output run, or holds it.
  void trigger(Time now, bool output);
  [[nodiscard]] bool output_enabled() const { return output_; }
  /// SNDCTL_DSP_POST: plays what is there, though no fragment may be full.
  void post(Time now);
  /// SNDCTL_DSP_RESET: stops, and forgets what hasn't been played.
  void reset(Time now);
  /// Plays what has been written to its end. False when there's nothing to wait for.
  bool drain(Time now);
  [[nodiscard]] bool draining() const { return draining_; }

  [[nodiscard]] Position position(Time now);
  /// Bytes that write() would take.
  [[nodiscard]] std::uint64_t space(Time now);
  /// Bytes that were written and not yet played.
  [[nodiscard]] std::uint64_t unplayed(Time now);
  /// Whether poll(2) says POLLOUT: there's room for a fragment, or on the mapped path, one has been played.
  [[nodiscard]] bool writable(Time now);

  /// What is to be copied out of the ring before advance() can come to `now`.
  [[nodiscard]] std::optional<RingPart> due(Time now) const;
  /// The bytes of what was due, as many as there are in `part`; no longer wanted ones are ignored.
  void supply(const RingPart& part, std::span<const std::byte> bytes);
  /// Plays until `now`, the ring as far as it has been supplied. All calls with a `now` begin with that.
  void advance(Time now);
  /// When advance() has next something to tell to clients: the end of a fragment or of all that there is.
  [[nodiscard]] std::optional<Time> deadline() const;
  /// All that was played since the last time.
  [[nodiscard]] std::vector<Chunk> take() { return std::exchange(chunks_, {}); }

  [[nodiscard]] Path path() const { return path_; }
  [[nodiscard]] bool running() const { return running_; }
  [[nodiscard]] const StreamCounts& counts() const { return counts_; }
  /// Bytes played since it was reset.
  [[nodiscard]] std::uint64_t played() const { return played_; }
  /// Underruns that nobody has been told of by this.
  [[nodiscard]] std::uint64_t untold_xruns() { return counts_.xruns - std::exchange(told_xruns_, counts_.xruns); }

 private:
  [[nodiscard]] bool in_use() const;
  [[nodiscard]] std::uint64_t playable_end() const;
  void start_if_due(Time now);
  void start(Time now);
  void stop();
  void forget_all();
  [[nodiscard]] RingPace::Progress progress(Time now) const;
  void play_until(std::uint64_t end);
  void slip(Time now, Nanoseconds late);
  void ran_dry(Time at);
  Chunk& open_chunk();

  bool mappable_;
  RingPace pace_;
  Path path_ = Path::undecided;
  bool output_ = true;
  bool running_ = false;
  bool draining_ = false;
  std::optional<Time> dry_since_;
  std::uint64_t played_ = 0;   // bytes
  std::uint64_t written_ = 0;  // bytes
  std::uint64_t copied_ = 0;   // bytes
  std::uint64_t blocks_ = 0;
  std::uint64_t generation_ = 0;  // of what due() says: bytes are counted anew
  RingBuffer ring_;               // what was written, or copied, and is to be played
  std::vector<Chunk> chunks_;
  StreamCounts counts_;
  std::uint64_t told_xruns_ = 0;
};

}  // namespace dmmap::sound
