// DspStream: one open /dev/dsp, as its clients' system calls find it.
//
// It has a half that plays, if it's open for writing, and one that records, if it's open for reading and there's a
// source. What they have to map, StreamRings says.
//
// Promises: a read, a write, a SNDCTL_DSP_SYNC or a close that waits is answered when the engine has come so far, and
// at once when the client gets a signal. Nobody is called, nothing answered and the ring not touched while the stream's
// lock is held: a page of the ring may have to be brought by a thread that waits for that lock.
//
// Thread safety: every call, from any thread: those of the session, and the engine's.
#pragma once

#include <dmmap/device.h>
#include <dmmap/log.h>
#include <dmmap/thread_safety.h>

#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "servers/sound/control/status.h"
#include "servers/sound/device/dsp_ioctls.h"
#include "servers/sound/device/stream_log.h"
#include "servers/sound/device/stream_rings.h"
#include "servers/sound/device/waiting.h"
#include "servers/sound/mix/engine.h"
#include "servers/sound/stream/capture_stream.h"
#include "servers/sound/stream/playback_stream.h"

namespace dmmap::sound {

/// Who opened a stream, and what it's called in the log.
struct StreamIdentity {
  std::uint64_t number = 0;
  std::string program;    ///< its comm (proc(5)); "?" where that can't be known
  std::uint32_t pid = 0;  ///< 0 from another pid namespace
  std::string device;     ///< "dsp"
};

/// What a stream can do.
struct DspAbilities {
  Source* source = nullptr;   ///< what is recorded; null: it doesn't
  RingOptions rings;          ///< what the client can map, and whether it plays
  bool asked_at_open = true;  ///< false: mappings are granted at mmap alone
  CardFacts card;             ///< what is so for every stream of this mount
  AudioFormat format;         ///< until the program says otherwise
};

class DspStream final : public Stream, public EngineStream {
 public:
  /// The source and `levels`, `clock` and `engine` outlive it.
  DspStream(StreamIdentity identity, DspAbilities abilities, Levels& levels, const Clock& clock, Engine& engine,
            LogSink log);

  Result<Grant> map(const MapRequest& request) override;
  void read(const ReadRequest& request, Reply<Data> reply) override;
  void write(const WriteRequest& request, Reply<Written> reply) override;
  void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) override;
  std::uint32_t poll(std::uint32_t events) override;
  void flush(const FlushRequest& request, Reply<Done> reply) override;
  void released() override;

  [[nodiscard]] std::uint64_t number() const { return identity_.number; }
  [[nodiscard]] StreamStatus status();
  /// Adds what went wrong so far. Does nothing else, so that it can be the last that is done with the stream.
  void count_into(CardTotals& totals) DMMAP_EXCLUDES(lock_);
  /// How loud it is: what it plays, or where it only records, that. Muting stays as it is.
  void set_level(unsigned left, unsigned right);
  void set_muted(bool muted);

  void advance() override;
  [[nodiscard]] std::optional<Time> deadline() const override;
  [[nodiscard]] std::vector<Chunk> take() override;
  [[nodiscard]] Gain gain() const override;
  [[nodiscard]] bool finished() const override;
  void end() override;

 private:
  // What is to be done when the lock has been let go of.
  struct Outcome {
    std::vector<WaitingWrite> written;
    std::vector<WaitingRead> read;
    std::vector<WaitingDrain> drained;
    LogLines lines;
    bool wake = false;
    bool kick = false;
  };

  class Turn;
  /// What the ring has there now.
  [[nodiscard]] std::vector<std::byte> copy_of(const RingPart& part) DMMAP_EXCLUDES(lock_);
  void store(const CaptureStream::Store& store) DMMAP_EXCLUDES(lock_);
  void prepare_ring() DMMAP_EXCLUDES(lock_);
  void ring_failed(const Error& error);
  void on_interrupt(ReplyBase& reply, std::uint64_t id);
  void interrupted(std::uint64_t id);
  void wait_for_drain(WaitingDrain waiting);

  void settle(Time now, Outcome& outcome) DMMAP_REQUIRES(lock_);
  void settle_writes(Time now, Outcome& outcome) DMMAP_REQUIRES(lock_);
  void settle_reads(Time now, Outcome& outcome) DMMAP_REQUIRES(lock_);
  void carry_out(Outcome outcome) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool nonblock() const DMMAP_REQUIRES(lock_) { return nonblock_asked_ || nonblock_flag_; }
  [[nodiscard]] Level& level() DMMAP_REQUIRES(lock_) { return playback_ ? levels_.playback : levels_.recording; }
  /// What was recorded is as loud as levels_ say from now on.
  void apply_recording_level() DMMAP_REQUIRES(lock_);
  [[nodiscard]] bool playing() const DMMAP_REQUIRES(lock_) { return playback_ && playback_->running(); }
  [[nodiscard]] bool ring_takes_recording() const DMMAP_REQUIRES(lock_) {
    return rings_.takes_recording(playback_ && playback_->path() == Path::mapped);
  }
  [[nodiscard]] std::optional<Time> next_deadline() const DMMAP_REQUIRES(lock_);
  /// The events of poll(2) that are true now.
  [[nodiscard]] std::uint32_t events(Time now) DMMAP_REQUIRES(lock_);
  /// Forgets what hasn't been played or read.
  void reset(Time now) DMMAP_REQUIRES(lock_);
  /// Nothing more of them will be done.
  void give_up_waiting(Outcome& outcome) DMMAP_REQUIRES(lock_);
  /// What the log is to say.
  void note(Outcome& outcome) DMMAP_REQUIRES(lock_);

  const StreamIdentity identity_;
  StreamRings rings_;
  const bool asked_at_open_;
  const CardFacts card_;
  Levels& card_levels_;
  const Clock& clock_;
  Engine& engine_;
  const LogSink log_;
  std::atomic<std::uint64_t> next_id_{1};
  std::atomic<bool> ring_failure_noted_{false};

  mutable Mutex lock_;
  std::optional<PlaybackStream> playback_ DMMAP_GUARDED_BY(lock_);
  std::optional<CaptureStream> capture_ DMMAP_GUARDED_BY(lock_);
  StreamLevels levels_ DMMAP_GUARDED_BY(lock_);
  StreamLog playback_log_ DMMAP_GUARDED_BY(lock_);
  StreamLog capture_log_ DMMAP_GUARDED_BY(lock_);
  std::deque<WaitingWrite> writes_ DMMAP_GUARDED_BY(lock_);
  std::deque<WaitingRead> reads_ DMMAP_GUARDED_BY(lock_);
  std::vector<WaitingDrain> drains_ DMMAP_GUARDED_BY(lock_);
  std::optional<Time> deadline_seen_ DMMAP_GUARDED_BY(lock_);  // what the engine was last told of
  Time latest_ DMMAP_GUARDED_BY(lock_);                        // time as the stream has seen it; it doesn't go back
  std::uint32_t awaited_ DMMAP_GUARDED_BY(lock_) = 0;          // events that a poller waits for
  bool nonblock_asked_ DMMAP_GUARDED_BY(lock_) = false;        // by SNDCTL_DSP_NONBLOCK, and there's no way back
  bool nonblock_flag_ DMMAP_GUARDED_BY(lock_) = false;         // O_NONBLOCK, as the last read or write had it
  bool close_interrupted_ DMMAP_GUARDED_BY(lock_) = false;
  bool close_waited_ DMMAP_GUARDED_BY(lock_) = false;
  bool released_ DMMAP_GUARDED_BY(lock_) = false;
  bool ended_ DMMAP_GUARDED_BY(lock_) = false;
};

}  // namespace dmmap::sound
