#include "servers/camera/device/card_ioctls.h"

#include <gtest/gtest.h>
#include <linux/videodev2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "camera/lines.h"

namespace dmmap::camera {
namespace {

constexpr About kAbout{{640, 480}, {30, 1}, nullptr};
constexpr std::uint32_t kCapture = V4L2_BUF_TYPE_VIDEO_CAPTURE;
constexpr std::uint32_t kOutput = V4L2_BUF_TYPE_VIDEO_OUTPUT;

class CardIoctls : public ::testing::Test {
 protected:
  template <class T>
  device::IoctlAnswer call(std::uint32_t command, const T& input, std::size_t bytes = sizeof(T)) {
    return answer_card_ioctl({card, formats, this, capture_busy, output_busy}, command,
                             std::as_bytes(std::span(&input, 1)).first(bytes))
        .value_or(device::error(ENOTTY));
  }
  // What becomes of `value`; an errno value otherwise.
  template <class T>
  int change(std::uint32_t command, T& value) {
    const device::IoctlAnswer answer = call(command, value);
    if (answer.error == 0 && !answer.output.empty()) {
      EXPECT_EQ(answer.output.size(), sizeof(T));
      std::memcpy(&value, answer.output.data(), std::min(sizeof value, answer.output.size()));
    }
    return answer.error;
  }
  static v4l2_format format(std::uint32_t type, std::uint32_t fourcc, std::uint32_t width, std::uint32_t height) {
    v4l2_format result{};
    result.type = type;
    result.fmt.pix.pixelformat = fourcc;
    result.fmt.pix.width = width;
    result.fmt.pix.height = height;
    return result;
  }
  static v4l2_fmtdesc description(std::uint32_t type, std::uint32_t index) {
    v4l2_fmtdesc result{};
    result.type = type;
    result.index = index;
    return result;
  }
  // Of a device that nothing can be put in.
  void only_capture() { card.producer = nullptr; }

  ProducerSource* producer = nullptr;
  Lines lines;
  Camera camera{"video0",
                [this] {
                  auto source = std::make_unique<ProducerSource>(kAbout);
                  producer = source.get();
                  return source;
                }(),
                lines.sink()};
  Card card{.name = "a card", .file = "video0", .camera = camera, .producer = producer};
  OpenFormats formats = usual_formats(kAbout);
  bool capture_busy = false;
  bool output_busy = false;
};

TEST_F(CardIoctls, CapabilitiesSayWhatTheDeviceCan) {
  v4l2_capability is{};
  ASSERT_EQ(change(VIDIOC_QUERYCAP, is), 0);
  const auto text = [](const auto& of) { return std::string(static_cast<const char*>(static_cast<const void*>(&of))); };
  EXPECT_EQ(text(is.driver), "dmmap");
  EXPECT_EQ(text(is.card), "a card");
  EXPECT_EQ(text(is.bus_info), "platform:dmmap-video0");
  EXPECT_EQ(is.device_caps, std::uint32_t{V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_READWRITE |
                                          V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT});
  EXPECT_EQ(is.capabilities, is.device_caps | V4L2_CAP_DEVICE_CAPS);
  only_capture();
  card.mmap = false;
  card.name = std::string(100, 'x');
  ASSERT_EQ(change(VIDIOC_QUERYCAP, is), 0);
  EXPECT_EQ(is.device_caps & (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING), 0U);
  EXPECT_EQ(text(is.card), std::string(31, 'x'));
}

TEST_F(CardIoctls, WhatIsEnumeratedIsAcceptedUnchanged) {
  for (const std::uint32_t type : {kCapture, kOutput}) {
    std::set<std::uint32_t> seen;
    v4l2_fmtdesc each = description(type, 0);
    for (; change(VIDIOC_ENUM_FMT, each) == 0; ++each.index) {
      seen.insert(each.pixelformat);
      EXPECT_EQ((each.flags & V4L2_FMT_FLAG_COMPRESSED) != 0, each.pixelformat == V4L2_PIX_FMT_MJPEG);
      v4l2_frmsizeenum size{};
      size.pixel_format = each.pixelformat;
      for (; change(VIDIOC_ENUM_FRAMESIZES, size) == 0; ++size.index) {
        EXPECT_EQ(size.type, std::uint32_t{V4L2_FRMSIZE_TYPE_DISCRETE});
        for (const auto command : {VIDIOC_TRY_FMT, VIDIOC_S_FMT, VIDIOC_G_FMT}) {
          v4l2_format tried = format(type, each.pixelformat, size.discrete.width, size.discrete.height);
          ASSERT_EQ(change(static_cast<std::uint32_t>(command), tried), 0);
          EXPECT_EQ(tried.type, type);
          EXPECT_EQ(tried.fmt.pix.pixelformat, each.pixelformat);
          EXPECT_EQ(tried.fmt.pix.width, size.discrete.width);
          EXPECT_EQ(tried.fmt.pix.height, size.discrete.height);
        }
        v4l2_frmivalenum interval{};
        interval.pixel_format = each.pixelformat;
        interval.width = size.discrete.width;
        interval.height = size.discrete.height;
        for (; type == kCapture && change(VIDIOC_ENUM_FRAMEINTERVALS, interval) == 0; ++interval.index) {
          v4l2_streamparm rate{};
          rate.type = type;
          rate.parm.capture.timeperframe = interval.discrete;
          ASSERT_EQ(change(VIDIOC_S_PARM, rate), 0);
          EXPECT_EQ(rate.parm.capture.timeperframe.numerator, interval.discrete.numerator);
          EXPECT_EQ(rate.parm.capture.timeperframe.denominator, interval.discrete.denominator);
        }
        EXPECT_TRUE(type == kOutput || interval.index > 3);
      }
      EXPECT_GT(size.index, 3U);
    }
    EXPECT_EQ(seen.size(), each.index) << "each once";
    EXPECT_EQ(seen.size(), pixel_formats().size() - (type == kOutput ? 1 : 0));
  }
}

TEST_F(CardIoctls, WhatIsNotThereIsRefused) {
  v4l2_fmtdesc unknown = description(V4L2_BUF_TYPE_VIDEO_OVERLAY, 0);
  EXPECT_EQ(change(VIDIOC_ENUM_FMT, unknown), EINVAL);
  unknown = description(kCapture, 0xffffffff);
  EXPECT_EQ(change(VIDIOC_ENUM_FMT, unknown), EINVAL);
  unknown = description(kCapture, 0);
  unknown.mbus_code = 1;
  EXPECT_EQ(change(VIDIOC_ENUM_FMT, unknown), EINVAL);
  v4l2_frmsizeenum size{};
  size.pixel_format = V4L2_PIX_FMT_H264;
  EXPECT_EQ(change(VIDIOC_ENUM_FRAMESIZES, size), EINVAL);
  v4l2_frmivalenum interval{};
  interval.pixel_format = V4L2_PIX_FMT_YUYV;
  interval.width = 641;
  interval.height = 480;
  EXPECT_EQ(change(VIDIOC_ENUM_FRAMEINTERVALS, interval), EINVAL);
  only_capture();
  for (const auto command : {VIDIOC_G_FMT, VIDIOC_S_FMT, VIDIOC_TRY_FMT}) {
    for (const std::uint32_t type : {kOutput, std::uint32_t{V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE}, 0U, 0xffffffffU}) {
      v4l2_format wanted = format(type, V4L2_PIX_FMT_YUYV, 640, 480);
      EXPECT_EQ(change(static_cast<std::uint32_t>(command), wanted), EINVAL);
    }
  }
  v4l2_streamparm rate{};
  rate.type = kOutput;
  EXPECT_EQ(change(VIDIOC_G_PARM, rate), EINVAL);
  EXPECT_EQ(change(VIDIOC_S_PARM, rate), EINVAL);
  v4l2_cropcap crop{};
  crop.type = kOutput;
  EXPECT_EQ(change(VIDIOC_CROPCAP, crop), EINVAL);
}

TEST_F(CardIoctls, AFormatStaysWhileThereAreBuffers) {
  capture_busy = true;
  v4l2_format wanted = format(kCapture, V4L2_PIX_FMT_RGB24, 320, 240);
  EXPECT_EQ(change(VIDIOC_S_FMT, wanted), EBUSY);
  EXPECT_EQ(change(VIDIOC_TRY_FMT, wanted), 0) << "which changes nothing";
  EXPECT_EQ(formats.capture.size, kAbout.size);
  wanted = format(kOutput, V4L2_PIX_FMT_RGB24, 320, 240);
  EXPECT_EQ(change(VIDIOC_S_FMT, wanted), 0);
  EXPECT_EQ(formats.output.size, (Size{320, 240}));
  output_busy = true;
  EXPECT_EQ(change(VIDIOC_S_FMT, wanted), EBUSY);
  output_busy = false;
  int another = 0;
  ASSERT_TRUE(producer->take(&another, kAbout));
  EXPECT_EQ(change(VIDIOC_S_FMT, wanted), EBUSY);
  producer->leave(&another);
  ASSERT_TRUE(producer->take(this, kAbout));
  EXPECT_EQ(change(VIDIOC_S_FMT, wanted), 0);
}

TEST_F(CardIoctls, RatesOfZeroLeaveThemAsTheyAre) {
  v4l2_streamparm rate{};
  rate.type = kOutput;
  rate.parm.output.timeperframe = {1001, 24000};
  ASSERT_EQ(change(VIDIOC_S_PARM, rate), 0);
  EXPECT_EQ(formats.output_rate, (Rate{24000, 1001}));
  for (const v4l2_fract& zero : {v4l2_fract{0, 0}, v4l2_fract{1, 0}, v4l2_fract{0, 1}}) {
    rate.parm.output.timeperframe = zero;
    ASSERT_EQ(change(VIDIOC_S_PARM, rate), 0);
    EXPECT_EQ(rate.parm.output.timeperframe.denominator, 24000U);
  }
  rate.type = kCapture;
  rate.parm.capture.timeperframe = {0, 0};
  ASSERT_EQ(change(VIDIOC_S_PARM, rate), 0);
  EXPECT_EQ(rate.parm.capture.timeperframe.denominator, 30U);
  EXPECT_EQ(rate.parm.capture.capability, std::uint32_t{V4L2_CAP_TIMEPERFRAME});
}

TEST_F(CardIoctls, ThereIsOneInputAndPerhapsOneOutput) {
  v4l2_input input{};
  ASSERT_EQ(change(VIDIOC_ENUMINPUT, input), 0);
  EXPECT_EQ(input.status, std::uint32_t{V4L2_IN_ST_NO_SIGNAL}) << "nobody puts anything in";
  ASSERT_TRUE(producer->take(this, kAbout));
  ASSERT_EQ(change(VIDIOC_ENUMINPUT, input), 0);
  EXPECT_EQ(input.status, 0U);
  input.index = 1;
  EXPECT_EQ(change(VIDIOC_ENUMINPUT, input), EINVAL);
  v4l2_output output{};
  EXPECT_EQ(change(VIDIOC_ENUMOUTPUT, output), 0);
  output.index = 1;
  EXPECT_EQ(change(VIDIOC_ENUMOUTPUT, output), EINVAL);
  for (const bool outputs : {true, false}) {
    std::uint32_t index = 7;
    EXPECT_EQ(change(VIDIOC_G_INPUT, index), 0);
    EXPECT_EQ(index, 0U);
    EXPECT_EQ(change(VIDIOC_S_INPUT, index), 0);
    EXPECT_EQ(change(VIDIOC_G_OUTPUT, index), outputs ? 0 : ENOTTY);
    EXPECT_EQ(change(VIDIOC_S_OUTPUT, index), outputs ? 0 : ENOTTY);
    index = 1;
    EXPECT_EQ(change(VIDIOC_S_INPUT, index), EINVAL);
    EXPECT_EQ(change(VIDIOC_S_OUTPUT, index), outputs ? EINVAL : ENOTTY);
    only_capture();
  }
  output.index = 0;
  EXPECT_EQ(change(VIDIOC_ENUMOUTPUT, output), ENOTTY);
}

TEST_F(CardIoctls, TheWholePictureIsSelected) {
  v4l2_cropcap crop{};
  crop.type = kCapture;
  ASSERT_EQ(change(VIDIOC_CROPCAP, crop), 0);
  EXPECT_EQ(crop.bounds.width, 640U);
  EXPECT_EQ(crop.pixelaspect.numerator, crop.pixelaspect.denominator);
  v4l2_selection selection{};
  selection.type = kCapture;
  for (const std::uint32_t target : {0U + V4L2_SEL_TGT_CROP_DEFAULT, 0U + V4L2_SEL_TGT_CROP_BOUNDS}) {
    selection.target = target;
    ASSERT_EQ(change(VIDIOC_G_SELECTION, selection), 0);
    EXPECT_EQ(selection.r.height, 480U);
  }
  selection.target = V4L2_SEL_TGT_COMPOSE;
  EXPECT_EQ(change(VIDIOC_G_SELECTION, selection), EINVAL);
}

TEST_F(CardIoctls, PrioritiesAreThoseOfAllThatAreOpen) {
  std::uint32_t priority = 77;
  ASSERT_EQ(change(VIDIOC_G_PRIORITY, priority), 0);
  EXPECT_EQ(priority, std::uint32_t{V4L2_PRIORITY_UNSET});
  priority = V4L2_PRIORITY_RECORD;
  ASSERT_EQ(change(VIDIOC_S_PRIORITY, priority), 0);
  EXPECT_EQ(card.priorities.of(this), V4L2_PRIORITY_RECORD);
  int other = 0;
  EXPECT_EQ(card.priorities.of(&other), V4L2_PRIORITY_DEFAULT);
  card.priorities.set(&other, V4L2_PRIORITY_BACKGROUND);
  EXPECT_EQ(card.priorities.highest(), V4L2_PRIORITY_RECORD);
  card.priorities.leave(this);
  EXPECT_EQ(card.priorities.highest(), V4L2_PRIORITY_BACKGROUND);
  for (const std::uint32_t wrong : {0U, 4U, 0xffffffffU}) {
    priority = wrong;
    EXPECT_EQ(change(VIDIOC_S_PRIORITY, priority), EINVAL);
  }
  // As v4l2-ioctl.c's table has them (INFO_FL_PRIO).
  for (const auto changes : {VIDIOC_S_FMT, VIDIOC_REQBUFS, VIDIOC_STREAMON, VIDIOC_STREAMOFF, VIDIOC_S_CTRL,
                             VIDIOC_S_EXT_CTRLS, VIDIOC_S_PARM, VIDIOC_CREATE_BUFS, VIDIOC_S_PRIORITY}) {
    EXPECT_TRUE(needs_priority(static_cast<std::uint32_t>(changes))) << ioctl_name(static_cast<std::uint32_t>(changes));
  }
  for (const auto looks : {VIDIOC_G_FMT, VIDIOC_TRY_FMT, VIDIOC_QBUF, VIDIOC_DQBUF, VIDIOC_G_EXT_CTRLS,
                           VIDIOC_TRY_EXT_CTRLS, VIDIOC_QUERYBUF}) {
    EXPECT_FALSE(needs_priority(static_cast<std::uint32_t>(looks))) << ioctl_name(static_cast<std::uint32_t>(looks));
  }
}

TEST_F(CardIoctls, ListenersHearOfChangesUntilTheyLeave) {
  std::vector<std::pair<std::uint32_t, const void*>> heard;
  int other = 0;
  card.listeners.add(this, [&](std::uint32_t id, const void* by) {
    heard.emplace_back(id, by);
    card.listeners.leave(this);  // nothing is locked meanwhile
  });
  card.listeners.tell(V4L2_CID_CONTRAST, &other);
  card.listeners.tell(V4L2_CID_BRIGHTNESS, &other);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard.front(), std::pair(std::uint32_t{V4L2_CID_CONTRAST}, static_cast<const void*>(&other)));
}

TEST_F(CardIoctls, NumbersHaveNames) {
  EXPECT_STREQ(ioctl_name(static_cast<std::uint32_t>(VIDIOC_QBUF)), "VIDIOC_QBUF");
  EXPECT_STREQ(ioctl_name(0x1234), "");
}

TEST_F(CardIoctls, WhatIsTooShortIsRefused) {
  const std::array<std::byte, 1000> zeros{};
  for (const auto command :
       {VIDIOC_ENUM_FMT, VIDIOC_G_FMT, VIDIOC_S_FMT, VIDIOC_TRY_FMT, VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS,
        VIDIOC_G_PARM, VIDIOC_S_PARM, VIDIOC_ENUMINPUT, VIDIOC_S_INPUT, VIDIOC_ENUMOUTPUT, VIDIOC_S_OUTPUT,
        VIDIOC_CROPCAP, VIDIOC_G_SELECTION, VIDIOC_S_PRIORITY}) {
    const auto number = static_cast<std::uint32_t>(command);
    EXPECT_EQ(call(number, zeros, 0).error, EINVAL) << ioctl_name(number);
    EXPECT_EQ(call(number, zeros, _IOC_SIZE(number) - 1).error, EINVAL) << ioctl_name(number);
  }
  EXPECT_EQ(call(static_cast<std::uint32_t>(VIDIOC_QBUF), zeros).error, ENOTTY) << "that's another's";
}

TEST_F(CardIoctls, GarbageNeverBreaksIt) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    std::array<std::uint32_t, 60> input{};
    for (std::size_t word = 0; word < input.size(); ++word) {
      input.at(word) = word < 2 || random() % 2 == 0 ? static_cast<std::uint32_t>(random() % 4)
                                                     : static_cast<std::uint32_t>(random());
    }
    const auto command =
        static_cast<std::uint32_t>(_IOC(random() % 4, 'V', random() % 104, random() % 2 == 0 ? 208 : random() % 300));
    const auto answer = call(command, input, random() % (sizeof input + 1));
    ASSERT_TRUE(answer.output.empty() || answer.output.size() == _IOC_SIZE(command)) << std::hex << command;
    ASSERT_EQ(formats.output.size, fitting(*formats.output.format, formats.output.size));
    ASSERT_LE(formats.capture.size.width, kAbout.size.width);
    ASSERT_LE(formats.capture.size.height, kAbout.size.height);
    ASSERT_NE(formats.output_rate.numerator, 0U);
    ASSERT_NE(formats.output_rate.denominator, 0U);
  }
}

}  // namespace
}  // namespace dmmap::camera
