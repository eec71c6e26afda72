// ProducerSource: pictures that a program puts into the camera, by the same device that others capture from.
//
// Promises: at most one program at a time; each picture that it offers is given to whoever looks, or let go of at once
// when nobody does. Thread safety: as Source's; those of producers, from any thread.
#pragma once

#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <optional>

#include "servers/camera/sources/source.h"

namespace dmmap::camera {

class ProducerSource final : public Source {
 public:
  /// What it's like as long as no program has said.
  explicit ProducerSource(About about);

  [[nodiscard]] About about() const override DMMAP_EXCLUDES(lock_);
  void begin() override DMMAP_EXCLUDES(lock_);
  Result<Shot> next() override DMMAP_EXCLUDES(lock_);
  void end() override DMMAP_EXCLUDES(lock_);
  void interrupt() override DMMAP_EXCLUDES(lock_);
  void watched(bool somebody) override DMMAP_EXCLUDES(lock_);

  // For producers; `who` is the address of something of theirs.
  /// Becomes the one that there is, and says what its pictures are like, until it leaves. Errors: EBUSY when there's
  /// another.
  Result<void> take(const void* who, const About& about) DMMAP_EXCLUDES(lock_);
  void leave(const void* who) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool taken() const DMMAP_EXCLUDES(lock_);
  /// Whether another than `who` is the one.
  [[nodiscard]] bool taken_by_another(const void* who) const DMMAP_EXCLUDES(lock_);

  /// Whether an offer would be taken.
  [[nodiscard]] bool looked_at() const DMMAP_EXCLUDES(lock_);
  /// A picture that will be asked for by the thread that calls next(), once, or not at all. It's let go of when it has
  /// been given to all. Errors, of the asking: are logged by who asks; the picture is left out.
  using Offer = std::function<Result<Picture>()>;
  void offer(Offer picture) DMMAP_EXCLUDES(lock_);

 private:
  struct Waiting {
    Offer picture;
    Time time;
    std::uint64_t round = 0;
  };
  mutable Mutex lock_;
  std::condition_variable changed_;
  const About usual_;
  About about_ DMMAP_GUARDED_BY(lock_);
  const void* producer_ DMMAP_GUARDED_BY(lock_) = nullptr;
  std::deque<Waiting> waiting_ DMMAP_GUARDED_BY(lock_);
  std::uint64_t next_number_ DMMAP_GUARDED_BY(lock_) = 0;
  bool looked_at_ DMMAP_GUARDED_BY(lock_) = false;
  std::uint64_t round_ DMMAP_GUARDED_BY(lock_) = 0;  // of those who look without a pause between them
  bool interrupted_ DMMAP_GUARDED_BY(lock_) = false;
};

}  // namespace dmmap::camera
