// ControlEvents: what one open file has subscribed to of its controls' changes, and hasn't been told yet
// (drivers/media/v4l2-core: v4l2-event.c, v4l2-ctrls-api.c).
//
// Promises: a control's changes that aren't fetched in time become one. Thread safety: as an int's; the stream's lock
// guards it.
#pragma once

#include <linux/videodev2.h>

#include <cstdint>
#include <deque>
#include <map>

#include "servers/camera/engine/controls.h"

namespace dmmap::camera {

class ControlEvents {
 public:
  // An errno value, 0 when it's done.
  int subscribe(const v4l2_event_subscription& wanted, const Controls& controls);
  int unsubscribe(const v4l2_event_subscription& unwanted);
  /// ENOENT when there's none.
  int dequeue(v4l2_event& event);

  /// A control has changed, by this very file or another's.
  void changed(std::uint32_t id, bool by_own, const Controls& controls);
  [[nodiscard]] bool any() const { return !waiting_.empty(); }

 private:
  void add(std::uint32_t id, std::uint32_t changes, const Controls& controls);

  std::map<std::uint32_t, std::uint32_t> subscribed_;  // flags, by control
  std::deque<v4l2_event> waiting_;
  std::uint32_t sequence_ = 0;
};

}  // namespace dmmap::camera
