#include "mapping/wait_graph.h"

#include <pthread.h>
#include <unistd.h>

#include <unordered_set>

namespace dmmap::mapping {

namespace {

thread_local ThreadId known_thread = 0;

}  // namespace

// Remembered: it's asked several times for each request, and glibc asks the kernel each time.
ThreadId this_thread() {
  static const int after_fork = ::pthread_atfork(nullptr, nullptr, [] { known_thread = 0; });
  if (known_thread == 0 || after_fork != 0) {
    known_thread = ::gettid();
  }
  return known_thread;
}

WaitGraph& WaitGraph::instance() {
  static WaitGraph graph;
  return graph;
}

// One lock for all: of two waits that close a cycle the second always sees the first.
bool WaitGraph::enter(Holders holders) {
  const ThreadId self = this_thread();
  const MutexLock lock(lock_);
  std::vector<ThreadId> next = holders();
  waits_.insert_or_assign(self, std::move(holders));
  std::unordered_set<ThreadId> seen;
  while (!next.empty()) {
    const ThreadId thread = next.back();
    next.pop_back();
    if (thread == self) {
      return true;
    }
    const auto waits = waits_.find(thread);
    if (waits != waits_.end() && seen.insert(thread).second) {
      const std::vector<ThreadId> further = waits->second();
      next.insert(next.end(), further.begin(), further.end());
    }
  }
  return false;
}

void WaitGraph::leave() {
  const MutexLock lock(lock_);
  waits_.erase(this_thread());
}

WaitGraph::Wait::Wait(Holders holders) : endless_(instance().enter(std::move(holders))) {}
WaitGraph::Wait::~Wait() {
  instance().leave();
}

}  // namespace dmmap::mapping
