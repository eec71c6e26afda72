// Pause: a wait for a time that can be broken off.
//
// Promises: after interrupt() nothing waits, until reset(). Thread safety: every function, from any thread.
#pragma once

#include <dmmap/thread_safety.h>

#include <atomic>
#include <condition_variable>

#include "servers/camera/picture/picture.h"

namespace dmmap::camera {

class Pause {
 public:
  /// False when it was broken off; true when the time has come, at once for one that's past.
  [[nodiscard]] bool wait_until(Time time) DMMAP_EXCLUDES(lock_) {
    MutexLock lock(lock_);
    while (!interrupted_ && Clock::now() < time) {
      lock.wait_until(changed_, time);
    }
    return !interrupted_;
  }
  void interrupt() DMMAP_EXCLUDES(lock_) {
    const MutexLock lock(lock_);
    interrupted_ = true;
    changed_.notify_all();
  }
  void reset() { interrupted_ = false; }
  [[nodiscard]] bool interrupted() const { return interrupted_; }

 private:
  Mutex lock_;
  std::condition_variable changed_;
  std::atomic<bool> interrupted_{false};  // set under the lock, so that a wait doesn't miss it
};

}  // namespace dmmap::camera
