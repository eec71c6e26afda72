// Locks that clang's -Wthread-safety understands (clang's Thread Safety Analysis document); nothing to g++.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define DMMAP_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define DMMAP_THREAD_ANNOTATION(x)
#endif
#define DMMAP_GUARDED_BY(x) DMMAP_THREAD_ANNOTATION(guarded_by(x))
#define DMMAP_REQUIRES(...) DMMAP_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define DMMAP_EXCLUDES(...) DMMAP_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace dmmap {

class DMMAP_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() DMMAP_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() DMMAP_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope; can wait on a condition, and be let go of early.
class DMMAP_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DMMAP_THREAD_ANNOTATION(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() DMMAP_THREAD_ANNOTATION(release_capability()) = default;

  void unlock() DMMAP_THREAD_ANNOTATION(release_capability()) { lock_.unlock(); }
  void lock() DMMAP_THREAD_ANNOTATION(acquire_capability()) { lock_.lock(); }

  /// Waits once; look at the condition yourself, in a loop, so that the analysis sees it under the lock.
  void wait(std::condition_variable& changed) { changed.wait(lock_); }
  template <class Time>
  std::cv_status wait_until(std::condition_variable& changed, const Time& time) {
    return changed.wait_until(lock_, time);
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace dmmap
