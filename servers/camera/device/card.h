// Card: what is so for every open of one video device.
//
// Thread safety: every call, from any thread.
#pragma once

#include <dmmap/thread_safety.h>

#include <linux/videodev2.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "servers/camera/engine/camera.h"
#include "servers/camera/sources/producer_source.h"

namespace dmmap::camera {

/// Who goes before whom (V4L2's "application priority"): one that another program is above of can't change anything.
class Priorities {
 public:
  void set(const void* who, v4l2_priority priority) DMMAP_EXCLUDES(lock_);
  void leave(const void* who) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] v4l2_priority of(const void* who) const DMMAP_EXCLUDES(lock_);
  /// The highest of all that are open.
  [[nodiscard]] v4l2_priority highest() const DMMAP_EXCLUDES(lock_);

 private:
  mutable Mutex lock_;
  std::map<const void*, v4l2_priority> priorities_ DMMAP_GUARDED_BY(lock_);
};

/// Who wants to know of controls that change.
class ControlListeners {
 public:
  using Listener = std::function<void(std::uint32_t id, const void* by)>;
  void add(const void* who, Listener listener) DMMAP_EXCLUDES(lock_);
  void leave(const void* who) DMMAP_EXCLUDES(lock_);
  /// `by` has changed that control.
  void tell(std::uint32_t id, const void* by) const DMMAP_EXCLUDES(lock_);

 private:
  mutable Mutex lock_;
  std::map<const void*, Listener> listeners_ DMMAP_GUARDED_BY(lock_);
};

struct Card {
  std::string name;  ///< what programs are told: up to 31 bytes
  std::string file;  ///< "video0"
  Camera& camera;
  ProducerSource* producer = nullptr;  ///< null: nothing can be put in
  bool mmap = true;                    ///< whether programs can map
  Priorities priorities;
  ControlListeners listeners;
};

}  // namespace dmmap::camera
