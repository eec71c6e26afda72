// DspStream: one open /dev/dsp, as its clients' system calls find it.
//
// Promises: a write, a SNDCTL_DSP_SYNC or a close that waits is answered when the engine has played enough, and at once
// when the client gets a signal. Nobody is called, nothing answered and the ring not touched while the stream's lock is
// held: a page of the ring may have to be brought by a thread that waits for that lock.
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

#include "servers/sound/device/dsp_ioctls.h"
#include "servers/sound/mix/engine.h"
#include "servers/sound/stream/playback_stream.h"

namespace dmmap::sound {

/// Who opened a stream, and what it's called in the log.
struct StreamIdentity {
  std::uint64_t number = 0;
  std::string program;  ///< "mplayer[1234]"
};

class DspStream final : public Stream, public EngineStream {
 public:
  /// `ring`: what the client can map; null if it can't. `mmap_here`: others can, on this mount.
  DspStream(StreamIdentity identity, std::shared_ptr<Region> ring, bool mmap_here, const Clock& clock, Engine& engine,
            LogSink log);

  Result<Grant> map(const MapRequest& request) override;
  void read(const ReadRequest& request, Reply<Data> reply) override;
  void write(const WriteRequest& request, Reply<Written> reply) override;
  void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) override;
  std::uint32_t poll(std::uint32_t events) override;
  void flush(const FlushRequest& request, Reply<Done> reply) override;
  void released() override;

  void advance() override;
  [[nodiscard]] std::optional<Time> deadline() const override;
  [[nodiscard]] std::vector<Chunk> take() override;
  [[nodiscard]] bool finished() const override;
  void end() override;

 private:
  // A write of which a part hasn't been taken yet.
  struct WaitingWrite {
    std::uint64_t id = 0;
    Reply<Written> reply;
    std::span<const std::byte> data;
    std::size_t taken = 0;
  };
  // A SNDCTL_DSP_SYNC or a close(2) that waits until all has been played.
  struct WaitingDrain {
    std::uint64_t id = 0;
    std::optional<Reply<IoctlDone>> sync;
    std::optional<Reply<Done>> close;
  };
  // What is to be done when the lock has been let go of.
  struct Outcome {
    std::vector<WaitingWrite> written;
    std::vector<WaitingDrain> drained;
    std::vector<std::pair<LogLevel, std::string>> lines;
    bool wake = false;
    bool kick = false;
  };

  class Turn;
  /// What the ring has there now.
  [[nodiscard]] std::vector<std::byte> copy_of(const RingPart& part) DMMAP_EXCLUDES(lock_);
  void prepare_ring() DMMAP_EXCLUDES(lock_);
  void ring_failed(const Error& error);
  void settle(Time now, Outcome& outcome) DMMAP_REQUIRES(lock_);
  void carry_out(Outcome outcome) DMMAP_EXCLUDES(lock_);
  void wait_for_drain(WaitingDrain waiting);
  void interrupted(std::uint64_t id);
  [[nodiscard]] bool nonblock() const DMMAP_REQUIRES(lock_) { return nonblock_asked_ || nonblock_flag_; }
  /// Nothing more of them will be taken.
  void give_up_writes(Outcome& outcome) DMMAP_REQUIRES(lock_);
  /// What the log is to say.
  void note(Outcome& outcome) DMMAP_REQUIRES(lock_);

  const StreamIdentity identity_;
  const std::shared_ptr<Region> region_;
  const bool mmap_here_;
  const Clock& clock_;
  Engine& engine_;
  const LogSink log_;
  std::atomic<std::uint64_t> next_id_{1};
  std::atomic<bool> ring_failure_noted_{false};

  mutable Mutex lock_;
  PlaybackStream core_ DMMAP_GUARDED_BY(lock_);
  std::deque<WaitingWrite> writes_ DMMAP_GUARDED_BY(lock_);
  std::vector<WaitingDrain> drains_ DMMAP_GUARDED_BY(lock_);
  std::optional<Time> deadline_seen_ DMMAP_GUARDED_BY(lock_);  // what the engine was last told of
  Time latest_ DMMAP_GUARDED_BY(lock_);                        // time as the stream has seen it; it doesn't go back
  std::string described_ DMMAP_GUARDED_BY(lock_);              // the last line about what is played
  std::string heard_through_ DMMAP_GUARDED_BY(lock_);
  bool slip_noted_ DMMAP_GUARDED_BY(lock_) = false;
  bool summed_up_ DMMAP_GUARDED_BY(lock_) = false;
  bool nonblock_asked_ DMMAP_GUARDED_BY(lock_) = false;  // by SNDCTL_DSP_NONBLOCK, and there's no way back
  bool nonblock_flag_ DMMAP_GUARDED_BY(lock_) = false;   // O_NONBLOCK, as the last write had it
  bool poller_waits_ DMMAP_GUARDED_BY(lock_) = false;
  bool close_interrupted_ DMMAP_GUARDED_BY(lock_) = false;
  bool released_ DMMAP_GUARDED_BY(lock_) = false;
  bool ended_ DMMAP_GUARDED_BY(lock_) = false;
};

}  // namespace dmmap::sound
