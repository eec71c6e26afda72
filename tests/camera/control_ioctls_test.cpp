// Extended controls are in this very process.
#include "servers/camera/device/control_ioctls.h"

#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace dmmap::camera {
namespace {

class ControlIoctls : public ::testing::Test {
 protected:
  template <class T>
  device::IoctlAnswer call(std::uint32_t command, const T& input, std::size_t bytes = sizeof(T)) {
    const ControlCall one{controls, client, [this](std::uint32_t id) { changes.push_back(id); }};
    return answer_control_ioctl(one, command, std::as_bytes(std::span(&input, 1)).first(bytes))
        .value_or(device::error(ENOTTY));
  }
  // What becomes of `value`; an errno value otherwise.
  template <class T>
  int change(std::uint32_t command, T& value) {
    const device::IoctlAnswer answer = call(command, value);
    if (!answer.output.empty()) {
      EXPECT_EQ(answer.output.size(), sizeof(T));
      std::memcpy(&value, answer.output.data(), std::min(sizeof value, answer.output.size()));
    }
    return answer.error;
  }
  static v4l2_ext_controls list(std::vector<v4l2_ext_control>& of, std::uint32_t which = 0) {
    v4l2_ext_controls all{};
    all.which = which;
    all.count = static_cast<std::uint32_t>(of.size());
    all.controls = of.data();
    all.error_idx = 99;
    return all;
  }
  static v4l2_ext_control one(std::uint32_t id, std::int32_t value = 0) {
    v4l2_ext_control control{};
    control.id = id;
    control.value = value;
    return control;
  }

  Controls controls;
  std::uint32_t client = static_cast<std::uint32_t>(::gettid());
  std::vector<std::uint32_t> changes;
};

TEST_F(ControlIoctls, AllAreFoundOneAfterTheOther) {
  std::vector<std::uint32_t> plain;
  std::vector<std::uint32_t> extended;
  v4l2_queryctrl query{};
  for (query.id = V4L2_CTRL_FLAG_NEXT_CTRL; change(VIDIOC_QUERYCTRL, query) == 0;
       query.id |= V4L2_CTRL_FLAG_NEXT_CTRL) {
    plain.push_back(query.id);
    ASSERT_LE(plain.size(), 100U);
  }
  v4l2_query_ext_ctrl wide{};
  constexpr std::uint32_t kNext = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
  for (wide.id = kNext; change(VIDIOC_QUERY_EXT_CTRL, wide) == 0; wide.id |= kNext) {
    extended.push_back(wide.id);
    ASSERT_LE(extended.size(), 100U);
  }
  EXPECT_EQ(plain.size(), control_infos().size());
  EXPECT_EQ(plain, extended);
  EXPECT_TRUE(std::is_sorted(plain.begin(), plain.end()));
  wide = {};
  wide.id = V4L2_CTRL_FLAG_NEXT_COMPOUND;
  EXPECT_EQ(change(VIDIOC_QUERY_EXT_CTRL, wide), EINVAL) << "there's none of these";
  query = {};
  query.id = std::numeric_limits<std::uint32_t>::max();
  EXPECT_EQ(change(VIDIOC_QUERYCTRL, query), EINVAL);
}

TEST_F(ControlIoctls, EachSaysWhatItIs) {
  v4l2_queryctrl query{};
  query.id = V4L2_CID_CONTRAST;
  ASSERT_EQ(change(VIDIOC_QUERYCTRL, query), 0);
  EXPECT_EQ(std::string(static_cast<const char*>(static_cast<const void*>(&query.name[0]))), "Contrast");
  EXPECT_EQ(query.minimum, 0);
  EXPECT_EQ(query.maximum, 255);
  EXPECT_EQ(query.default_value, 128);
  EXPECT_EQ(query.step, 1);
  EXPECT_EQ(query.flags, std::uint32_t{V4L2_CTRL_FLAG_SLIDER});
  v4l2_query_ext_ctrl wide{};
  wide.id = V4L2_CID_HFLIP;
  ASSERT_EQ(change(VIDIOC_QUERY_EXT_CTRL, wide), 0);
  EXPECT_EQ(wide.type, std::uint32_t{V4L2_CTRL_TYPE_BOOLEAN});
  EXPECT_EQ(wide.elems, 1U);
  EXPECT_EQ(wide.elem_size, 4U);
  v4l2_querymenu menu{};
  menu.id = V4L2_CID_HFLIP;
  EXPECT_EQ(change(VIDIOC_QUERYMENU, menu), EINVAL);
}

TEST_F(ControlIoctls, OneIsSetToTheNearestThatItCanBe) {
  for (const ControlInfo& info : control_infos()) {
    v4l2_control control{info.id, 0};
    if (info.type == V4L2_CTRL_TYPE_CTRL_CLASS) {
      EXPECT_EQ(change(VIDIOC_G_CTRL, control), EACCES);
      EXPECT_EQ(change(VIDIOC_S_CTRL, control), EACCES);
      continue;
    }
    ASSERT_EQ(change(VIDIOC_G_CTRL, control), 0);
    EXPECT_EQ(control.value, info.usual) << info.name;
    control.value = std::numeric_limits<std::int32_t>::max();
    ASSERT_EQ(change(VIDIOC_S_CTRL, control), 0);
    EXPECT_EQ(control.value, info.most);
    control.value = std::numeric_limits<std::int32_t>::min();
    ASSERT_EQ(change(VIDIOC_S_CTRL, control), 0);
    EXPECT_EQ(control.value, info.least);
    EXPECT_EQ(controls.get(info.id), info.least);
  }
  v4l2_control none{V4L2_CID_HUE, 0};
  EXPECT_EQ(change(VIDIOC_G_CTRL, none), EINVAL);
  EXPECT_EQ(change(VIDIOC_S_CTRL, none), EINVAL);
}

TEST_F(ControlIoctls, OnlyAChangeIsTold) {
  v4l2_control control{V4L2_CID_BRIGHTNESS, 0};
  EXPECT_EQ(change(VIDIOC_S_CTRL, control), 0);
  EXPECT_TRUE(changes.empty()) << "it was so";
  control.value = 5;
  EXPECT_EQ(change(VIDIOC_S_CTRL, control), 0);
  EXPECT_EQ(change(VIDIOC_S_CTRL, control), 0);
  EXPECT_EQ(change(VIDIOC_G_CTRL, control), 0);
  EXPECT_EQ(changes, (std::vector<std::uint32_t>{V4L2_CID_BRIGHTNESS}));
}

TEST_F(ControlIoctls, SeveralAreReadTriedAndSet) {
  std::vector some{one(V4L2_CID_CONTRAST, 1000), one(V4L2_CID_VFLIP, 1)};
  for (const std::uint32_t which : {std::uint32_t{V4L2_CTRL_WHICH_CUR_VAL}, std::uint32_t{V4L2_CTRL_CLASS_USER}}) {
    v4l2_ext_controls all = list(some, which);
    ASSERT_EQ(change(VIDIOC_TRY_EXT_CTRLS, all), 0);
    EXPECT_EQ(all.error_idx, 2U);
    EXPECT_EQ(some[0].value, 255) << "that's what it would be";
    EXPECT_EQ(controls.get(V4L2_CID_CONTRAST), 128);
    EXPECT_TRUE(changes.empty());
  }
  v4l2_ext_controls all = list(some);
  ASSERT_EQ(change(VIDIOC_S_EXT_CTRLS, all), 0);
  EXPECT_EQ(controls.get(V4L2_CID_CONTRAST), 255);
  EXPECT_EQ(controls.get(V4L2_CID_VFLIP), 1);
  EXPECT_EQ(changes, (std::vector<std::uint32_t>{V4L2_CID_CONTRAST, V4L2_CID_VFLIP}));
  some[0].value = some[1].value = -5;
  all = list(some);
  ASSERT_EQ(change(VIDIOC_G_EXT_CTRLS, all), 0);
  EXPECT_EQ(some[0].value, 255);
  EXPECT_EQ(some[1].value, 1);
  all = list(some, V4L2_CTRL_WHICH_DEF_VAL);
  ASSERT_EQ(change(VIDIOC_G_EXT_CTRLS, all), 0);
  EXPECT_EQ(some[0].value, 128);
  EXPECT_EQ(some[1].value, 0);
}

TEST_F(ControlIoctls, AnErrorSaysWhereAndNothingIsDone) {
  std::vector some{one(V4L2_CID_CONTRAST, 7), one(V4L2_CID_HUE, 1), one(V4L2_CID_SATURATION, 1)};
  v4l2_ext_controls all = list(some);
  EXPECT_EQ(change(VIDIOC_TRY_EXT_CTRLS, all), EINVAL);
  EXPECT_EQ(all.error_idx, 1U);
  for (const auto command : {VIDIOC_S_EXT_CTRLS, VIDIOC_G_EXT_CTRLS}) {
    all = list(some);
    EXPECT_EQ(change(static_cast<std::uint32_t>(command), all), EINVAL);
    EXPECT_EQ(all.error_idx, 3U) << "none of them was touched";
  }
  EXPECT_EQ(controls.get(V4L2_CID_CONTRAST), 128);
  some = {one(V4L2_CID_CONTRAST, 7), one(V4L2_CID_USER_CLASS)};
  all = list(some);
  EXPECT_EQ(change(VIDIOC_S_EXT_CTRLS, all), EACCES);
  some = {one(V4L2_CID_CONTRAST, 7), one(V4L2_CID_JPEG_COMPRESSION_QUALITY, 7)};
  all = list(some, V4L2_CTRL_CLASS_USER);
  EXPECT_EQ(change(VIDIOC_TRY_EXT_CTRLS, all), EINVAL) << "another class";
  EXPECT_EQ(all.error_idx, 1U);
  EXPECT_TRUE(changes.empty());
}

TEST_F(ControlIoctls, WhatCanNotBeAskedIsRefused) {
  std::vector some{one(V4L2_CID_CONTRAST, 7)};
  v4l2_ext_controls all = list(some, V4L2_CTRL_WHICH_DEF_VAL);
  EXPECT_EQ(change(VIDIOC_S_EXT_CTRLS, all), EINVAL);
  all = list(some, V4L2_CTRL_WHICH_REQUEST_VAL);
  EXPECT_EQ(change(VIDIOC_G_EXT_CTRLS, all), EINVAL);
  all = list(some, V4L2_CTRL_CLASS_CODEC);
  EXPECT_EQ(change(VIDIOC_G_EXT_CTRLS, all), EINVAL);
  EXPECT_EQ(all.error_idx, 1U);
  all = list(some);
  all.count = std::numeric_limits<std::uint32_t>::max();
  EXPECT_EQ(change(VIDIOC_G_EXT_CTRLS, all), EINVAL) << "more than there can be";
  std::vector<v4l2_ext_control> none;
  all = list(none, V4L2_CTRL_CLASS_USER);
  EXPECT_EQ(change(VIDIOC_S_EXT_CTRLS, all), 0);
  EXPECT_EQ(all.error_idx, 0U);
}

TEST_F(ControlIoctls, MemoryThatIsNotThereIsAFault) {
  std::vector some{one(V4L2_CID_CONTRAST, 7)};
  v4l2_ext_controls all = list(some);
  all.controls = nullptr;
  EXPECT_EQ(change(VIDIOC_S_EXT_CTRLS, all), EFAULT);
  EXPECT_EQ(controls.get(V4L2_CID_CONTRAST), 128);
  static constexpr v4l2_ext_control kReadOnly{.id = V4L2_CID_CONTRAST, .size = 0, .reserved2 = {}, .value = 0};
  all.controls = const_cast<v4l2_ext_control*>(&kReadOnly);  // NOLINT(*-const-cast): it's to be refused
  EXPECT_EQ(change(VIDIOC_G_EXT_CTRLS, all), EFAULT);
}

TEST_F(ControlIoctls, AClientThatCanNotBeLookedIntoDoesWithout) {
  std::vector some{one(V4L2_CID_CONTRAST, 7)};
  v4l2_ext_controls all = list(some);
  client = 0;
  EXPECT_EQ(change(VIDIOC_S_EXT_CTRLS, all), ENOTTY);
  client = std::numeric_limits<std::int32_t>::max();  // no process
  EXPECT_EQ(change(VIDIOC_S_EXT_CTRLS, all), ENOTTY);
  EXPECT_EQ(controls.get(V4L2_CID_CONTRAST), 128);
}

TEST_F(ControlIoctls, WhatIsTooShortIsRefused) {
  const std::array<std::byte, 1000> zeros{};
  for (const auto command : {VIDIOC_QUERYCTRL, VIDIOC_QUERY_EXT_CTRL, VIDIOC_G_CTRL, VIDIOC_S_CTRL, VIDIOC_G_EXT_CTRLS,
                             VIDIOC_S_EXT_CTRLS, VIDIOC_TRY_EXT_CTRLS}) {
    const auto number = static_cast<std::uint32_t>(command);
    EXPECT_EQ(call(number, zeros, 0).error, EINVAL);
    EXPECT_EQ(call(number, zeros, _IOC_SIZE(number) - 1).error, EINVAL);
  }
  EXPECT_EQ(call(static_cast<std::uint32_t>(VIDIOC_G_FMT), zeros).error, ENOTTY) << "that's another's";
}

TEST_F(ControlIoctls, GarbageNeverBreaksIt) {
  constexpr std::array kAll{VIDIOC_QUERYCTRL, VIDIOC_QUERY_EXT_CTRL, VIDIOC_QUERYMENU,   VIDIOC_G_CTRL,
                            VIDIOC_S_CTRL,    VIDIOC_G_EXT_CTRLS,    VIDIOC_S_EXT_CTRLS, VIDIOC_TRY_EXT_CTRLS};
  std::mt19937 random(1);
  client = 0;  // an address that is garbage is not to be written to
  for (int i = 0; i < 100'000; ++i) {
    const auto command = static_cast<std::uint32_t>(kAll.at(random() % kAll.size()));
    std::array<std::uint32_t, 64> input{};
    std::generate(input.begin(), input.end(), [&] {
      return random() % 2 == 0 ? static_cast<std::uint32_t>(random())
                               : static_cast<std::uint32_t>(V4L2_CID_BASE + random() % 32);
    });
    const auto answer = call(command, input, random() % (sizeof input + 1));
    ASSERT_TRUE(answer.output.empty() || answer.output.size() == _IOC_SIZE(command));
    for (const ControlInfo& info : control_infos()) {
      ASSERT_GE(controls.get(info.id), info.least);
      ASSERT_LE(controls.get(info.id), info.most);
    }
  }
}

}  // namespace
}  // namespace dmmap::camera
