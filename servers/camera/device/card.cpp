#include "servers/camera/device/card.h"

#include <algorithm>

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

}  // namespace dmmap::camera
