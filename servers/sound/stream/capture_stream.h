// CaptureStream: what one open device records, as OSS programs know it; nothing of FUSE.
//
// What is recorded goes into a ring of the stream's own, for read(). While that's mapped (triggered, and nothing read),
// it goes into the region that the client maps, too. As with PlaybackStream the region isn't touched here:
// begin_store() says what is to be stored there, and stored() that it's done.
//
// Promises: what the source brings is recorded frame by frame, in order, none lost or doubled, as long as the client
// keeps up. A reader that doesn't has an overrun: recording stands still while the ring is full, and goes on from the
// present when there's room. The position that a client is told never runs ahead of what its mapping shows.
//
// Invariants: 1. read_ <= recorded_ <= made_, and made_ - read_ fits into the ring once path_ is `read`; 2. on the
// mapped path made_ - recorded_ is less than the ring; 3. while running_, pace_ says that byte recorded_ is due.
//
// Thread safety: one thread at a time. Calls with a `now` must not go back in time.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "servers/sound/stream/position.h"
#include "servers/sound/stream/recorder.h"
#include "servers/sound/stream/ring.h"
#include "servers/sound/stream/ring_pace.h"

namespace dmmap::sound {

/// How what is recorded gets to the client.
enum class CapturePath { undecided, mapped, read };

class CaptureStream {
 public:
  /// `ring_bytes`: the most that a ring can have. `source` outlives it, and so do `levels`.
  CaptureStream(std::uint64_t ring_bytes, Source& source, const Levels& levels)
      : source_(source), levels_(levels), pace_(ring_bytes) {}

  [[nodiscard]] const AudioFormat& format() const { return pace_.format(); }
  /// Takes `wanted` unless it records. REQUIRES: it is supported.
  void set_format(Time now, const AudioFormat& wanted);
  /// As FragmentChoice. Errors: EINVAL, too, when the ring is in use.
  Result<void> set_fragments(std::uint32_t value);
  Result<std::uint32_t> subdivide(std::uint32_t parts);
  [[nodiscard]] Fragments fragments() const { return pace_.fragments(); }
  /// How loud what this stream records is, besides the card's own level.
  void set_gain(Gain gain) { gain_ = gain; }

  /// Begins to record, if that's enabled and hasn't been done. Errors: those of Source::begin.
  Result<void> start(Time now);
  /// Brings what there is. Doesn't start.
  std::size_t read(Time now, std::span<std::byte> to);
  /// SNDCTL_DSP_SETTRIGGER: records, or stops and forgets. Errors: those of Source::begin.
  Result<void> trigger(Time now, bool input);
  [[nodiscard]] bool input_enabled() const { return input_; }
  /// SNDCTL_DSP_RESET: stops, and forgets what hasn't been read.
  void reset(Time now);

  [[nodiscard]] Position position(Time now);
  /// Bytes that read() would bring.
  [[nodiscard]] std::uint64_t available(Time now);
  /// Whether poll(2) says POLLIN: there's a fragment to read, or on the mapped path, one has been recorded.
  [[nodiscard]] bool readable(Time now);
  /// A reader waits until so many bytes are available; 0: none does.
  void set_wanted(std::uint64_t bytes) { wanted_ = bytes; }

  /// What is to be stored in the region before advance() can come to `now`, if the region is this stream's. Nothing
  /// while another thread stores.
  struct Store {
    RingPart part;
    std::vector<std::byte> bytes;
  };
  [[nodiscard]] std::optional<Store> begin_store(Time now, bool region_is_mine);
  void stored(const RingPart& part);
  /// Records until `now`; on the mapped path, as far as it has been stored. All calls with a `now` begin with that.
  void advance(Time now);
  /// When advance() has next something to tell to clients.
  [[nodiscard]] std::optional<Time> deadline() const;

  [[nodiscard]] CapturePath path() const { return path_; }
  [[nodiscard]] bool running() const { return running_; }
  [[nodiscard]] const StreamCounts& counts() const { return counts_; }
  /// Bytes recorded since it was reset.
  [[nodiscard]] std::uint64_t recorded() const { return recorded_; }
  /// Overruns that nobody has been told of by this.
  [[nodiscard]] std::uint64_t untold_xruns() { return counts_.xruns - std::exchange(told_xruns_, counts_.xruns); }

 private:
  void run(Time now);
  void stop();
  void forget_all();
  [[nodiscard]] RingPace::Progress progress(Time now) const;
  /// Has the source bring everything until byte `end`.
  void make_until(std::uint64_t end);
  void record_until(std::uint64_t end);

  Source& source_;
  const Levels& levels_;
  RingPace pace_;
  Gain gain_;
  std::optional<Recorder> recorder_;  // of this open: a file is recorded from its beginning once
  CapturePath path_ = CapturePath::undecided;
  bool input_ = true;
  bool running_ = false;
  bool overrun_ = false;          // stands still, since the ring is full
  bool storing_ = false;          // a thread stores what was made in the region
  bool region_mine_ = false;      // the last that was said about it
  std::uint64_t made_ = 0;        // bytes
  std::uint64_t recorded_ = 0;    // bytes, that clients know of
  std::uint64_t stored_ = 0;      // bytes, in the region
  std::uint64_t read_ = 0;        // bytes
  std::uint64_t blocks_ = 0;      // since the position was last asked
  std::uint64_t wanted_ = 0;      // bytes
  std::uint64_t generation_ = 0;  // bytes are counted anew
  RingBuffer ring_;
  StreamCounts counts_;
  std::uint64_t told_xruns_ = 0;
};

}  // namespace dmmap::sound
