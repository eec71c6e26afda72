// What VideoStream does with controls, and with events about them.
#include <linux/videodev2.h>

#include <cerrno>
#include <utility>

#include "servers/camera/device/control_ioctls.h"
#include "servers/camera/device/video_stream.h"

namespace dmmap::camera {

using device::IoctlAnswer;
using device::stored;

std::optional<IoctlAnswer> VideoStream::control_ioctl(const IoctlRequest& request) {
  const ControlCall call{card_.camera.controls(), request.caller.pid,
                         [this](std::uint32_t id) { card_.listeners.tell(id, this); }};
  return answer_control_ioctl(call, request.command, request.input);
}

std::optional<IoctlAnswer> VideoStream::event_ioctl(const IoctlRequest& request) {
  if (request.command != VIDIOC_SUBSCRIBE_EVENT && request.command != VIDIOC_UNSUBSCRIBE_EVENT) {
    return std::nullopt;
  }
  const auto asked = device::input_as<v4l2_event_subscription>(request.input);
  if (!asked) {
    return device::error(EINVAL);
  }
  int code = 0;
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    code = request.command == VIDIOC_SUBSCRIBE_EVENT ? events_.subscribe(*asked, card_.camera.controls())
                                                     : events_.unsubscribe(*asked);
    outcome.wake = events_.any();
    settle_events(outcome);
  }
  if (code == 0 && request.command == VIDIOC_SUBSCRIBE_EVENT) {
    card_.listeners.add(this, [weak = weak_from_this(), self = this](std::uint32_t id, const void* by) {
      if (const auto stream = weak.lock()) {
        static_cast<VideoStream&>(*stream).control_changed(id, by == self);
      }
    });
  }
  carry_out(std::move(outcome));
  return code == 0 ? IoctlAnswer{} : device::error(code);
}

void VideoStream::control_changed(std::uint32_t id, bool by_own) {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    events_.changed(id, by_own, card_.camera.controls());
    outcome.wake = events_.any();
    settle_events(outcome);
  }
  carry_out(std::move(outcome));
}

void VideoStream::settle_events(Outcome& outcome) {
  while (!event_waits_.empty() && events_.any()) {
    v4l2_event event{};
    events_.dequeue(event);
    outcome.ioctls.emplace_back(std::move(event_waits_.front().reply), stored(event));
    event_waits_.pop_front();
  }
}

void VideoStream::dequeue_event(const IoctlRequest& request, Reply<IoctlDone> reply) {
  WaitingEvent waiting{next_id_++, std::move(reply)};
  on_interrupt(waiting.reply, waiting.id);
  const bool must_not = nonblocking(request);
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    v4l2_event event{};
    const int code = events_.dequeue(event);
    if (code == 0) {
      outcome.ioctls.emplace_back(std::move(waiting.reply), stored(event));
    } else if (must_not || waiting.reply.interrupted()) {
      outcome.refused.emplace_back(std::move(waiting.reply), must_not ? code : EINTR);
    } else {
      event_waits_.push_back(std::move(waiting));
    }
  }
  carry_out(std::move(outcome));
}

}  // namespace dmmap::camera
