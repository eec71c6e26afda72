#include "servers/camera/sources/producer_source.h"

#include <cerrno>
#include <utility>

namespace dmmap::camera {

ProducerSource::ProducerSource(About about) : usual_(about), about_(about) {}

About ProducerSource::about() const {
  const MutexLock lock(lock_);
  return about_;
}

void ProducerSource::watched(bool somebody) {
  const MutexLock lock(lock_);
  looked_at_ = somebody;
  round_ += somebody ? 1 : 0;
}

void ProducerSource::begin() {
  const MutexLock lock(lock_);
  interrupted_ = false;
  next_number_ = 0;
}

Result<Shot> ProducerSource::next() {
  for (;;) {
    Waiting first;
    std::uint64_t number = 0;
    {
      MutexLock lock(lock_);
      while (waiting_.empty() && !interrupted_) {
        lock.wait(changed_);
      }
      if (interrupted_) {
        return fail(ECANCELED, "interrupted");
      }
      first = std::move(waiting_.front());
      waiting_.pop_front();
      if (first.round != round_) {
        continue;  // who it was for has left, and it's let go of where the lock isn't held
      }
      number = next_number_++;
    }
    // One that can't be had is its producer's to hear of.
    if (auto picture = first.picture()) {
      return Shot{std::move(*picture), first.time, number};
    }
  }
}

void ProducerSource::end() {
  std::deque<Waiting> dropped;  // let go of where the lock isn't held
  const MutexLock lock(lock_);
  if (!looked_at_) {
    dropped.swap(waiting_);
  }
}

void ProducerSource::interrupt() {
  {
    const MutexLock lock(lock_);
    interrupted_ = true;
  }
  changed_.notify_all();
}

Result<void> ProducerSource::take(const void* who, const About& about) {
  const MutexLock lock(lock_);
  if (producer_ != nullptr && producer_ != who) {
    return fail(EBUSY, "there is a producer already");
  }
  producer_ = who;
  about_ = about;
  about_.any_size = usual_.any_size;
  return {};
}

void ProducerSource::leave(const void* who) {
  const MutexLock lock(lock_);
  if (producer_ == who) {
    producer_ = nullptr;
    about_ = usual_;
  }
}

bool ProducerSource::taken() const {
  const MutexLock lock(lock_);
  return producer_ != nullptr;
}

bool ProducerSource::taken_by_another(const void* who) const {
  const MutexLock lock(lock_);
  return producer_ != nullptr && producer_ != who;
}

bool ProducerSource::looked_at() const {
  const MutexLock lock(lock_);
  return looked_at_;
}

void ProducerSource::offer(Offer picture) {
  {
    const MutexLock lock(lock_);
    if (looked_at_) {
      waiting_.push_back({std::move(picture), Clock::now(), round_});
      picture = {};
    }
  }
  changed_.notify_all();
}

}  // namespace dmmap::camera
