// Engine: plays all streams, and wakes their clients, in time.
//
// One thread sleeps until the next moment at which a stream has something to tell (the end of a fragment), or until the
// mix is due, every 20 ms while anything plays. With nothing playing it sleeps until kick().
//
// Promises: what a stream has played gets to the mix exactly once, also what it played just before it was removed.
// Thread safety: add, remove, kick and failed from any thread; start and stop from one; step from tests only, without
// start.
#pragma once

#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "servers/sound/audio/clock.h"
#include "servers/sound/mix/levels.h"
#include "servers/sound/mix/mixer.h"

namespace dmmap::sound {

/// A stream, as the engine sees it. Thread safety: every call, from any thread.
class EngineStream {
 public:
  EngineStream() = default;
  EngineStream(const EngineStream&) = delete;
  EngineStream& operator=(const EngineStream&) = delete;
  virtual ~EngineStream() = default;

  /// Plays until now, and tells whoever waits for that.
  virtual void advance() = 0;
  /// When advance() is due; nothing while the stream doesn't play.
  [[nodiscard]] virtual std::optional<Time> deadline() const = 0;
  /// What was played since the last time.
  [[nodiscard]] virtual std::vector<Chunk> take() = 0;
  /// How loud it is, besides the card's own levels.
  [[nodiscard]] virtual Gain gain() const { return {}; }
  /// Whether nothing will be played any more. The engine takes what was played, then lets go of the stream.
  [[nodiscard]] virtual bool finished() const = 0;
  /// The engine ends: plays until now, and no more.
  virtual void end() = 0;
};

class Engine {
 public:
  Engine(const Clock& clock, std::unique_ptr<Mixer> mixer);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  void add(std::shared_ptr<EngineStream> stream);
  /// A deadline may have come nearer, or a stream may have finished.
  void kick();
  /// As soon as the thread gets to it, has the sink make safe what it has.
  void sync();

  /// To be called when the server is sure to serve: what the sink had before is gone.
  void start();
  /// Ends all streams, mixes what they have played, and ends.
  void stop();

  /// Does what is due at `now` and says when there's more to do.
  std::optional<Time> step(Time now);

  [[nodiscard]] bool failed() const { return mixer_->failed(); }

 private:
  struct Playing {
    std::uint64_t number = 0;
    std::shared_ptr<EngineStream> stream;
  };
  void run();
  [[nodiscard]] std::vector<Playing> streams() const;
  void mix(Time now, const std::vector<Playing>& playing);

  const Clock& clock_;
  const std::unique_ptr<Mixer> mixer_;

  // The thread's own.
  std::optional<Time> next_mix_;

  mutable Mutex lock_;
  std::condition_variable changed_;
  std::vector<Playing> streams_ DMMAP_GUARDED_BY(lock_);
  std::uint64_t next_number_ DMMAP_GUARDED_BY(lock_) = 1;
  bool kicked_ DMMAP_GUARDED_BY(lock_) = false;
  bool sync_wanted_ DMMAP_GUARDED_BY(lock_) = false;
  bool stopping_ DMMAP_GUARDED_BY(lock_) = false;
  std::thread thread_;
};

}  // namespace dmmap::sound
