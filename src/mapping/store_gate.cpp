#include "mapping/store_gate.h"

#include <algorithm>

namespace dmmap::mapping {

StoreGate::Pass::Pass(StoreGate& gate, const ByteRange& range) : gate_(gate), range_(range), thread_(this_thread()) {
  const MutexLock lock(gate_.lock_);
  const bool shut = std::any_of(gate_.shut_.begin(), gate_.shut_.end(),
                                [&range](const ByteRange& each) { return each.overlaps(range); });
  given_ = !shut && gate_.quiet(range);
  if (given_) {
    gate_.passes_.push_back(this);
  }
}

StoreGate::Pass::~Pass() {
  if (!given_) {
    return;
  }
  const MutexLock lock(gate_.lock_);
  gate_.passes_.erase(std::find(gate_.passes_.begin(), gate_.passes_.end(), this));
  gate_.given_back_.notify_all();
}

bool StoreGate::quiet(const ByteRange& range) const {
  return std::none_of(passes_.begin(), passes_.end(),
                      [&range](const Pass* pass) { return pass->range_.overlaps(range); });
}

void StoreGate::shut(const ByteRange& range) {
  const MutexLock lock(lock_);
  shut_.push_back(range);
}

void StoreGate::open(const ByteRange& range) {
  const MutexLock lock(lock_);
  shut_.erase(std::find_if(shut_.begin(), shut_.end(), [&range](const ByteRange& each) {
    return each.begin == range.begin && each.end == range.end;
  }));
}

void StoreGate::wait_until_quiet(const ByteRange& range) {
  MutexLock lock(lock_);
  while (!quiet(range)) {
    lock.wait(given_back_);
  }
}

std::vector<ThreadId> StoreGate::holders(const ByteRange& range) const {
  const MutexLock lock(lock_);
  std::vector<ThreadId> threads;
  for (const Pass* const pass : passes_) {
    if (pass->range_.overlaps(range)) {
      threads.push_back(pass->thread_);
    }
  }
  return threads;
}

}  // namespace dmmap::mapping
