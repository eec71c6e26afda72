// StoreGate: when bytes may be put straight into a region's page cache, by NOTIFY_STORE.
//
// STORE is ordered by the page's lock and by nothing else. It leaves the page clean, and a writeback that is on its way
// with older bytes would come to the source after it. So it's for a node that nobody can dirty, and for one call at a
// time about the same bytes; whoever is about to dirty, cut or punch the node shuts the gate and waits until it is
// quiet.
//
// Promises: while a Pass exists the gate isn't quiet, and no other Pass for the same bytes does; while it's shut none
// is given. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <vector>

#include "mapping/byte_ranges.h"
#include "mapping/wait_graph.h"

namespace dmmap::mapping {

class StoreGate {
 public:
  /// The right to store into `range`, if it's given.
  class Pass {
   public:
    Pass(StoreGate& gate, const ByteRange& range);
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass();
    explicit operator bool() const { return given_; }

   private:
    friend class StoreGate;
    StoreGate& gate_;
    ByteRange range_;
    ThreadId thread_;
    bool given_;
  };

  /// Shut, for the scope; quiet after wait().
  class Shut {
   public:
    explicit Shut(StoreGate& gate) : gate_(gate) { gate_.shut(); }
    Shut(const Shut&) = delete;
    Shut& operator=(const Shut&) = delete;
    ~Shut() { gate_.open(); }
    void wait() { gate_.wait_until_quiet(); }

   private:
    StoreGate& gate_;
  };

  void shut() DMMAP_EXCLUDES(lock_);
  /// Once for each shut().
  void open() DMMAP_EXCLUDES(lock_);
  /// Waits for holders(). The gate is to be shut.
  void wait_until_quiet() DMMAP_EXCLUDES(lock_);
  /// The threads that hold passes; a thread is to take or shut before it tells anybody that it waits.
  [[nodiscard]] std::vector<ThreadId> holders() const DMMAP_EXCLUDES(lock_);

 private:
  mutable Mutex lock_;
  std::condition_variable quiet_;
  unsigned shut_ DMMAP_GUARDED_BY(lock_) = 0;
  std::vector<const Pass*> passes_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::mapping
