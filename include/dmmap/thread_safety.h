// Locks that clang's -Wthread-safety understands (clang's Thread Safety Analysis document); nothing to g++.
//
// For this library and for servers that want to say which lock guards what; nothing else in these headers needs it.
// Promises: as std::mutex and std::unique_lock, which they are inside. Thread safety: every call of Mutex from any
// thread; a MutexLock is of the thread that made it.
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
#define DMMAP_SCOPED_CAPABILITY DMMAP_THREAD_ANNOTATION(scoped_lockable)
#define DMMAP_ACQUIRE(...) DMMAP_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define DMMAP_RELEASE(...) DMMAP_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define DMMAP_NOT_ANALYSED DMMAP_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace dmmap {

class DMMAP_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() DMMAP_ACQUIRE() { mutex_.lock(); }
  void unlock() DMMAP_RELEASE() { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope; can wait on a condition, and be let go of early.
class DMMAP_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DMMAP_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() DMMAP_RELEASE() = default;

  void unlock() DMMAP_RELEASE() { lock_.unlock(); }
  void lock() DMMAP_ACQUIRE() { lock_.lock(); }

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
