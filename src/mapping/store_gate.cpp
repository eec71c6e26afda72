#include "mapping/store_gate.h"

#include <algorithm>

namespace dmmap::mapping {

StoreGate::Pass::Pass(StoreGate& gate, const ByteRange& range) : gate_(gate), range_(range), thread_(this_thread()) {
  const MutexLock lock(gate_.lock_);
  given_ = gate_.shut_ == 0 && std::none_of(gate_.passes_.begin(), gate_.passes_.end(),
                                            [&range](const Pass* pass) { return pass->range_.overlaps(range); });
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
  if (gate_.passes_.empty()) {
    gate_.quiet_.notify_all();
  }
}

void StoreGate::shut() {
  const MutexLock lock(lock_);
  ++shut_;
}

void StoreGate::open() {
  const MutexLock lock(lock_);
  --shut_;
}

void StoreGate::wait_until_quiet() {
  MutexLock lock(lock_);
  while (!passes_.empty()) {
    lock.wait(quiet_);
  }
}

std::vector<ThreadId> StoreGate::holders() const {
  const MutexLock lock(lock_);
  std::vector<ThreadId> threads;
  threads.reserve(passes_.size());
  for (const Pass* const pass : passes_) {
    threads.push_back(pass->thread_);
  }
  return threads;
}

}  // namespace dmmap::mapping
