#include "servers/camera/device/card.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace dmmap::camera {

void Priorities::set(const void* who, v4l2_priority priority) {
  const MutexLock lock(lock_);
  priorities_[who] = priority;
}

void Priorities::leave(const void* who) {
  const MutexLock lock(lock_);
  priorities_.erase(who);
}

v4l2_priority Priorities::of(const void* who) const {
  const MutexLock lock(lock_);
  const auto found = priorities_.find(who);
  return found == priorities_.end() ? V4L2_PRIORITY_DEFAULT : found->second;
}

v4l2_priority Priorities::highest() const {
  const MutexLock lock(lock_);
  v4l2_priority highest = V4L2_PRIORITY_UNSET;
  for (const auto& [who, priority] : priorities_) {
    highest = std::max(highest, priority);
  }
  return highest;
}

void ControlListeners::add(const void* who, Listener listener) {
  const MutexLock lock(lock_);
  listeners_.insert_or_assign(who, std::move(listener));
}

void ControlListeners::leave(const void* who) {
  const MutexLock lock(lock_);
  listeners_.erase(who);
}

void ControlListeners::tell(std::uint32_t id, const void* by) const {
  std::vector<Listener> all;  // called where the lock isn't held
  {
    const MutexLock lock(lock_);
    for (const auto& [who, listener] : listeners_) {
      all.push_back(listener);
    }
  }
  for (const Listener& each : all) {
    each(id, by);
  }
}

}  // namespace dmmap::camera
