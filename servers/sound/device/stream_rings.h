// StreamRings: what one open device has for clients to map: a ring, and a second one where what it plays and what it
// records are mapped apart.
//
// Asked at open, nobody knows yet what a program will map: it gets the first ring, which the playing half has, or the
// recording one while nothing is played from it. Asked at mmap, PROT_WRITE says what plays and PROT_READ alone what
// records, as Linux has it (sound/core/oss/pcm_oss.c, snd_pcm_oss_mmap).
//
// Thread safety: every call, from any thread. A ring's page may have to be brought by a thread that answers clients, so
// read(), store() and silence() must not be called under a lock that a handler takes.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/thread_safety.h>

#include <functional>
#include <memory>

#include "servers/sound/stream/ring.h"

namespace dmmap::sound {

struct RingOptions {
  std::shared_ptr<Region> first;                          ///< null: nothing can be mapped
  std::function<Result<std::shared_ptr<Region>>()> make;  ///< makes the second one
  bool play = false;
  bool record = false;
  bool store_in_first = false;  ///< what is recorded may be stored in the first one
};

class StreamRings {
 public:
  explicit StreamRings(RingOptions options) : options_(std::move(options)) {}

  [[nodiscard]] bool any() const { return options_.first != nullptr; }
  /// Errors: ENODEV where there's none; at mmap ENXIO for a half that the stream hasn't; those of making one.
  Result<Grant> grant(const MapRequest& request) DMMAP_EXCLUDES(lock_);
  /// Whether what is recorded is to be in a ring, while the first one is, or isn't, played from.
  [[nodiscard]] bool takes_recording(bool first_is_played) const DMMAP_EXCLUDES(lock_);

  /// What is to be played. Errors: those of Region::read.
  [[nodiscard]] Result<void> read(const RingPart& part, std::span<std::byte> to) const {
    return read_ring(*options_.first, part, to);
  }
  /// What was recorded. Errors: those of Region::write.
  [[nodiscard]] Result<void> store(const RingPart& part, std::span<const std::byte> bytes) DMMAP_EXCLUDES(lock_);
  /// Errors: those of silence_ring().
  [[nodiscard]] Result<void> silence(const RingSilence& silence) { return silence_ring(*options_.first, silence); }

 private:
  [[nodiscard]] std::shared_ptr<Region> second() const DMMAP_EXCLUDES(lock_);

  const RingOptions options_;
  mutable Mutex lock_;
  std::shared_ptr<Region> second_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::sound
