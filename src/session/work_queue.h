// WorkQueue: threads that no request depends on, for what may have to wait for requests: notifications among it.
//
// Promises: post() returns at once. Jobs of one key run in order, one at a time; jobs of different keys don't wait for
// each other as long as fewer than kMaxThreads of them are stuck. Threads are started as they are needed.
#pragma once

#include <dmmap/ids.h>
#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace dmmap::session {

/// Thread safety: post() from any thread; stop() from one that is none of the queue's.
class WorkQueue {
 public:
  static constexpr std::size_t kMaxThreads = 64;
  /// Told whether to go ahead (true) or, when the queue has stopped, only to say that it didn't (false).
  using Job = std::function<void(bool go_ahead)>;

  WorkQueue() = default;
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;
  ~WorkQueue() { stop(); }

  void post(NodeId key, Job job) DMMAP_EXCLUDES(lock_);

  /// Jobs that haven't started, and later ones, are told not to go ahead; waits for those that run.
  void stop() DMMAP_EXCLUDES(lock_);

 private:
  struct Strand {
    std::deque<Job> jobs;
    bool running = false;
  };
  void work() DMMAP_EXCLUDES(lock_);

  Mutex lock_;
  std::condition_variable changed_;
  std::unordered_map<NodeId, Strand> strands_ DMMAP_GUARDED_BY(lock_);
  std::deque<NodeId> ready_ DMMAP_GUARDED_BY(lock_);  // strands with jobs, none of which runs
  std::vector<std::thread> threads_ DMMAP_GUARDED_BY(lock_);
  std::size_t idle_ DMMAP_GUARDED_BY(lock_) = 0;
  bool stopped_ DMMAP_GUARDED_BY(lock_) = false;
};

}  // namespace dmmap::session
