#include "servers/camera/device/control_events.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace dmmap::camera {
namespace {

class ControlEventsTest : public ::testing::Test {
 protected:
  static v4l2_event_subscription wish(std::uint32_t id, std::uint32_t flags = 0, std::uint32_t type = V4L2_EVENT_CTRL) {
    v4l2_event_subscription subscription{};
    subscription.type = type;
    subscription.id = id;
    subscription.flags = flags;
    return subscription;
  }
  int subscribe(std::uint32_t id, std::uint32_t flags = 0) { return events.subscribe(wish(id, flags), controls); }
  void set(std::uint32_t id, std::int32_t value, bool by_own = false) {
    controls.set(id, value);
    events.changed(id, by_own, controls);
  }
  v4l2_event next() {
    v4l2_event event{};
    EXPECT_EQ(events.dequeue(event), 0);
    return event;
  }
  bool none() {
    v4l2_event event{};
    return !events.any() && events.dequeue(event) == ENOENT;
  }

  Controls controls;
  ControlEvents events;
};

TEST_F(ControlEventsTest, WhatIsNoControlCanNotBeSubscribedTo) {
  EXPECT_EQ(subscribe(V4L2_CID_HUE), EINVAL);
  EXPECT_EQ(subscribe(0), EINVAL);
  for (const unsigned type : {0U + V4L2_EVENT_ALL, 0U + V4L2_EVENT_VSYNC, 0U + V4L2_EVENT_EOS, 12345U}) {
    EXPECT_EQ(events.subscribe(wish(V4L2_CID_CONTRAST, 0, type), controls), EINVAL);
  }
  EXPECT_EQ(subscribe(V4L2_CID_USER_CLASS, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
  EXPECT_TRUE(none()) << "a class has no value";
}

TEST_F(ControlEventsTest, AChangeByOthersIsTold) {
  ASSERT_EQ(subscribe(V4L2_CID_BRIGHTNESS), 0);
  EXPECT_TRUE(none());
  set(V4L2_CID_CONTRAST, 3);
  EXPECT_TRUE(none()) << "another control's";
  set(V4L2_CID_BRIGHTNESS, 5);
  ASSERT_TRUE(events.any());
  const v4l2_event event = next();
  EXPECT_EQ(event.type, std::uint32_t{V4L2_EVENT_CTRL});
  EXPECT_EQ(event.id, V4L2_CID_BRIGHTNESS);
  EXPECT_EQ(event.u.ctrl.changes, std::uint32_t{V4L2_EVENT_CTRL_CH_VALUE});
  EXPECT_EQ(event.u.ctrl.value, 5);
  EXPECT_EQ(event.u.ctrl.minimum, -128);
  EXPECT_EQ(event.u.ctrl.maximum, 127);
  EXPECT_EQ(event.u.ctrl.step, 1);
  EXPECT_EQ(event.u.ctrl.default_value, 0);
  EXPECT_EQ(event.u.ctrl.type, std::uint32_t{V4L2_CTRL_TYPE_INTEGER});
  EXPECT_EQ(event.pending, 0U);
  EXPECT_TRUE(none());
}

TEST_F(ControlEventsTest, OnesOwnChangesAreToldToWhoAsksForThem) {
  ASSERT_EQ(subscribe(V4L2_CID_HFLIP), 0);
  ASSERT_EQ(subscribe(V4L2_CID_VFLIP, V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK), 0);
  set(V4L2_CID_HFLIP, 1, true);
  EXPECT_TRUE(none());
  set(V4L2_CID_VFLIP, 1, true);
  EXPECT_EQ(next().id, V4L2_CID_VFLIP);
}

TEST_F(ControlEventsTest, TheFirstValueIsToldToWhoAsksForIt) {
  controls.set(V4L2_CID_CONTRAST, 77);
  ASSERT_EQ(subscribe(V4L2_CID_CONTRAST, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
  const v4l2_event event = next();
  EXPECT_EQ(event.u.ctrl.value, 77);
  EXPECT_EQ(event.u.ctrl.changes, std::uint32_t{V4L2_EVENT_CTRL_CH_VALUE | V4L2_EVENT_CTRL_CH_FLAGS});
  ASSERT_EQ(subscribe(V4L2_CID_CONTRAST, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
  EXPECT_TRUE(none()) << "it's subscribed to already";
}

TEST_F(ControlEventsTest, ChangesThatNobodyFetchesBecomeOne) {
  ASSERT_EQ(subscribe(V4L2_CID_CONTRAST, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
  ASSERT_EQ(subscribe(V4L2_CID_SATURATION), 0);
  set(V4L2_CID_SATURATION, 1);
  for (int value = 0; value < 100; ++value) {
    set(V4L2_CID_CONTRAST, value);
  }
  const v4l2_event first = next();
  EXPECT_EQ(first.id, V4L2_CID_SATURATION) << "the other is newer";
  EXPECT_EQ(first.pending, 1U);
  const v4l2_event second = next();
  EXPECT_EQ(second.u.ctrl.value, 99);
  EXPECT_EQ(second.u.ctrl.changes, std::uint32_t{V4L2_EVENT_CTRL_CH_VALUE | V4L2_EVENT_CTRL_CH_FLAGS});
  EXPECT_GT(second.sequence, first.sequence + 90) << "the missing ones are those that it stands for";
  EXPECT_TRUE(
      second.timestamp.tv_sec > first.timestamp.tv_sec ||
      (second.timestamp.tv_sec == first.timestamp.tv_sec && second.timestamp.tv_nsec >= first.timestamp.tv_nsec));
  EXPECT_TRUE(none());
}

TEST_F(ControlEventsTest, UnsubscribingTakesWhatWaitsAway) {
  for (const std::uint32_t id : {0U + V4L2_CID_CONTRAST, 0U + V4L2_CID_SATURATION, 0U + V4L2_CID_HFLIP}) {
    ASSERT_EQ(subscribe(id, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
  }
  EXPECT_EQ(events.unsubscribe(wish(V4L2_CID_CONTRAST)), 0);
  EXPECT_EQ(events.unsubscribe(wish(V4L2_CID_HUE)), 0) << "as Linux has it";
  EXPECT_EQ(next().id, V4L2_CID_SATURATION);
  set(V4L2_CID_CONTRAST, 1);
  EXPECT_EQ(next().id, V4L2_CID_HFLIP);
  EXPECT_TRUE(none());
  set(V4L2_CID_HFLIP, 1);
  EXPECT_EQ(events.unsubscribe(wish(0, 0, V4L2_EVENT_ALL)), 0);
  EXPECT_TRUE(none());
  set(V4L2_CID_SATURATION, 9);
  EXPECT_TRUE(none());
}

}  // namespace
}  // namespace dmmap::camera
