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
#include <cstdint>
#include <limits>
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

  static constexpr ByteRange kAll{0, std::numeric_limits<std::uint64_t>::max()};

  /// Shut for `range`, for the scope; quiet there after wait().
  class Shut {
   public:
    explicit Shut(StoreGate& gate, const ByteRange& range = kAll) : gate_(gate), range_(range) { gate_.shut(range_); }
    Shut(const Shut&) = delete;
    Shut& operator=(const Shut&) = delete;
    ~Shut() { gate_.open(range_); }
    void wait() { gate_.wait_until_quiet(range_); }

   private:
    StoreGate& gate_;
    ByteRange range_;
  };

  void shut(const ByteRange& range = kAll) DMMAP_EXCLUDES(lock_);
  /// Once for each shut() of that range.
  void open(const ByteRange& range = kAll) DMMAP_EXCLUDES(lock_);
  /// Waits for holders(). The gate is to be shut there.
  void wait_until_quiet(const ByteRange& range = kAll) DMMAP_EXCLUDES(lock_);
  /// The threads that hold passes; a thread is to take or shut before it tells anybody that it waits.
  [[nodiscard]] std::vector<ThreadId> holders(const ByteRange& range = kAll) const DMMAP_EXCLUDES(lock_);

 private:
  [[nodiscard]] bool quiet(const ByteRange& range) const DMMAP_REQUIRES(lock_);

  mutable Mutex lock_;
  std::condition_variable given_back_;
  std::vector<ByteRange> shut_ DMMAP_GUARDED_BY(lock_);
  std::vector<const Pass*> passes_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::mapping
