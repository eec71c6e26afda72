#include "servers/camera/device/control_events.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "servers/camera/device/control_ioctls.h"

namespace dmmap::camera {

int ControlEvents::subscribe(const v4l2_event_subscription& wanted, const Controls& controls) {
  const ControlInfo* const info = find_control(wanted.id);
  if (wanted.type != V4L2_EVENT_CTRL || info == nullptr) {
    return EINVAL;
  }
  if (!subscribed_.try_emplace(wanted.id, wanted.flags).second) {
    return 0;  // it is already
  }
  if ((wanted.flags & V4L2_EVENT_SUB_FL_SEND_INITIAL) != 0 && info->type != V4L2_CTRL_TYPE_CTRL_CLASS) {
    add(wanted.id, V4L2_EVENT_CTRL_CH_VALUE | V4L2_EVENT_CTRL_CH_FLAGS, controls);
  }
  return 0;
}

int ControlEvents::unsubscribe(const v4l2_event_subscription& unwanted) {
  if (unwanted.type == V4L2_EVENT_ALL) {
    subscribed_.clear();
    waiting_.clear();
  } else if (unwanted.type == V4L2_EVENT_CTRL) {
    subscribed_.erase(unwanted.id);
    std::erase_if(waiting_, [&](const v4l2_event& each) { return each.id == unwanted.id; });
  }
  return 0;
}

int ControlEvents::dequeue(v4l2_event& event) {
  if (waiting_.empty()) {
    return ENOENT;
  }
  event = waiting_.front();
  waiting_.pop_front();
  event.pending = static_cast<std::uint32_t>(waiting_.size());
  return 0;
}

void ControlEvents::changed(std::uint32_t id, bool by_own, const Controls& controls) {
  const auto found = subscribed_.find(id);
  if (found != subscribed_.end() && (!by_own || (found->second & V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK) != 0)) {
    add(id, V4L2_EVENT_CTRL_CH_VALUE, controls);
  }
}

void ControlEvents::add(std::uint32_t id, std::uint32_t changes, const Controls& controls) {
  // The one that waits is replaced by what is so now.
  const auto same = std::find_if(waiting_.begin(), waiting_.end(), [id](const auto& each) { return each.id == id; });
  if (same != waiting_.end()) {
    changes |= same->u.ctrl.changes;
    waiting_.erase(same);
  }
  const ControlInfo& info = *find_control(id);
  v4l2_event event{};
  event.type = V4L2_EVENT_CTRL;
  event.id = id;
  event.sequence = sequence_++;
  ::clock_gettime(CLOCK_MONOTONIC, &event.timestamp);
  event.u.ctrl.changes = changes;
  event.u.ctrl.type = info.type;
  event.u.ctrl.value = controls.get(id).value_or(0);
  event.u.ctrl.flags = control_flags(info);
  event.u.ctrl.minimum = info.least;
  event.u.ctrl.maximum = info.most;
  event.u.ctrl.step = 1;
  event.u.ctrl.default_value = info.usual;
  waiting_.push_back(event);
}

}  // namespace dmmap::camera
