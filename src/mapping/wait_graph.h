// WaitGraph: who waits for whom, so that a wait that could never end is refused before it begins.
//
// A thread in a call of a region waits for the requests that hold the pages (or the inode's lock) that the call needs.
// Each of those waits for the thread that holds its answer, which is known while its handler runs, and later when the
// reply was moved by a thread. A cycle is a wait without end. What isn't known (an answer that no thread has touched)
// is taken for one that will come.
#pragma once

#include <dmmap/thread_safety.h>

#include <functional>
#include <unordered_map>
#include <vector>

namespace dmmap::mapping {

using ThreadId = int;  // gettid(2)
[[nodiscard]] ThreadId this_thread();

/// Thread safety: every call, from any thread.
class WaitGraph {
 public:
  /// Tells which threads hold what a call waits for, at the time it's asked.
  using Holders = std::function<std::vector<ThreadId>()>;

  /// The process's one.
  static WaitGraph& instance();

  /// The calling thread's wait, for the scope.
  class Wait {
   public:
    explicit Wait(Holders holders);
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait();
    /// Whether the wait would have no end. To be asked before waiting; other threads see the wait already.
    [[nodiscard]] bool endless() const { return endless_; }

   private:
    bool endless_;
  };

 private:
  bool enter(Holders holders) DMMAP_EXCLUDES(lock_);
  void leave() DMMAP_EXCLUDES(lock_);

  Mutex lock_;
  std::unordered_map<ThreadId, Holders> waits_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::mapping
