#include "servers/camera/device/card_ioctls.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "servers/camera/sources/rates.h"

namespace dmmap::camera {

using device::error;
using device::IoctlAnswer;
using device::stored;
using device::with;

namespace {

constexpr std::uint32_t kVersion = 6U << 16U | 1U << 8U;  // of the media uAPI that this was made by: Linux 6.1's

template <std::size_t N>
void put(__u8 (&to)[N], std::string_view text) {  // NOLINT(*-avoid-c-arrays)
  std::memset(&to[0], 0, N);
  std::memcpy(&to[0], text.data(), std::min(text.size(), N - 1));
}

bool captures(std::uint32_t type) {
  return type == V4L2_BUF_TYPE_VIDEO_CAPTURE;
}
bool puts_in(const OpenDevice& open, std::uint32_t type) {
  return type == V4L2_BUF_TYPE_VIDEO_OUTPUT && open.card.producer != nullptr;
}

IoctlAnswer query_capabilities(const OpenDevice& open) {
  v4l2_capability result{};
  put(result.driver, "dmmap");
  put(result.card, open.card.name);
  put(result.bus_info, "platform:dmmap-" + open.card.file);
  result.version = kVersion;
  result.device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE | V4L2_CAP_EXT_PIX_FORMAT;
  result.device_caps |= open.card.mmap ? V4L2_CAP_STREAMING : 0U;
  result.device_caps |= open.card.producer != nullptr ? V4L2_CAP_VIDEO_OUTPUT : 0U;
  result.capabilities = result.device_caps | V4L2_CAP_DEVICE_CAPS;
  return stored(result);
}

IoctlAnswer enumerate_formats(const OpenDevice& open, v4l2_fmtdesc asked) {
  if ((!captures(asked.type) && !puts_in(open, asked.type)) || asked.mbus_code != 0) {
    return error(EINVAL);
  }
  const PixelFormat* const format =
      captures(asked.type) ? capture_format(open.card.camera.about(), asked.index) : output_format(asked.index);
  if (format == nullptr) {
    return error(EINVAL);
  }
  v4l2_fmtdesc result{};
  result.index = asked.index;
  result.type = asked.type;
  result.flags = format->compressed() ? V4L2_FMT_FLAG_COMPRESSED : 0U;
  put(result.description, format->description);
  result.pixelformat = format->fourcc;
  return stored(result);
}

IoctlAnswer tell_format(std::uint32_t type, const Layout& layout) {
  v4l2_format result{};
  result.type = type;
  result.fmt.pix = pix_format_of(layout);
  return stored(result);
}
IoctlAnswer tell_output(const Layout& layout, const v4l2_pix_format& colours) {
  v4l2_format result{};
  result.type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
  result.fmt.pix = pix_format_of(layout);
  take_colours(colours, result.fmt.pix);
  return stored(result);
}

IoctlAnswer get_format(const OpenDevice& open, const v4l2_format& asked) {
  if (captures(asked.type)) {
    return tell_format(asked.type, open.formats.capture);
  }
  return puts_in(open, asked.type) ? tell_output(open.formats.output, open.formats.output_colours) : error(EINVAL);
}

IoctlAnswer set_format(const OpenDevice& open, const v4l2_format& asked, bool only_try) {
  if (captures(asked.type)) {
    const About about = open.card.camera.about();
    const Layout layout = nearest_capture(about, asked.fmt.pix);
    if (!only_try) {
      if (open.capture_busy) {
        return error(EBUSY);
      }
      open.formats.capture = layout;
    }
    return tell_format(asked.type, layout);
  }
  if (puts_in(open, asked.type)) {
    const Layout layout = nearest_output(asked.fmt.pix);
    if (!only_try) {
      if (open.output_busy || open.card.producer->taken_by_another(open.who)) {
        return error(EBUSY);
      }
      open.formats.output = layout;
      open.formats.output_colours = asked.fmt.pix;
    }
    return tell_output(layout, asked.fmt.pix);
  }
  return error(EINVAL);
}

IoctlAnswer enumerate_sizes(const OpenDevice& open, const v4l2_frmsizeenum& asked) {
  const PixelFormat* const format = find_pixel_format(asked.pixel_format);
  if (format == nullptr) {
    return error(EINVAL);
  }
  const About about = open.card.camera.about();
  v4l2_frmsizeenum result{};
  if (about.any_size && asked.index == 0) {
    result.pixel_format = asked.pixel_format;
    result.type = V4L2_FRMSIZE_TYPE_STEPWISE;
    result.stepwise = {.min_width = kLeastSide,
                       .max_width = kMostSide,
                       .step_width = format->horizontal,
                       .min_height = kLeastSide,
                       .max_height = kMostSide,
                       .step_height = format->vertical};
    return stored(result);
  }
  const auto sizes = capture_sizes(about, *format);
  if (about.any_size || asked.index >= sizes.size()) {
    return error(EINVAL);
  }
  result.index = asked.index;
  result.pixel_format = asked.pixel_format;
  result.type = V4L2_FRMSIZE_TYPE_DISCRETE;
  result.discrete = {.width = sizes[asked.index].width, .height = sizes[asked.index].height};
  return stored(result);
}

IoctlAnswer enumerate_intervals(const OpenDevice& open, const v4l2_frmivalenum& asked) {
  const About about = open.card.camera.about();
  const PixelFormat* const format = find_pixel_format(asked.pixel_format);
  if (format == nullptr) {
    return error(EINVAL);
  }
  const Size size{asked.width, asked.height};
  if (about.any_size) {
    if (asked.index != 0 || fitting(*format, size) != size) {
      return error(EINVAL);
    }
    v4l2_frmivalenum any = asked;
    any.type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
    any.stepwise = {.min = {1, kMostRate}, .max = {1, 1}, .step = {1, 1}};
    return stored(any);
  }
  const auto sizes = capture_sizes(about, *format);
  const auto rates = capture_rates(about);
  if (std::find(sizes.begin(), sizes.end(), size) == sizes.end() || asked.index >= rates.size()) {
    return error(EINVAL);
  }
  v4l2_frmivalenum result{};
  result.index = asked.index;
  result.pixel_format = asked.pixel_format;
  result.width = asked.width;
  result.height = asked.height;
  result.type = V4L2_FRMIVAL_TYPE_DISCRETE;
  result.discrete = per_frame_of(rates[asked.index]);
  return stored(result);
}

IoctlAnswer tell_rate(const OpenDevice& open, std::uint32_t type) {
  v4l2_streamparm result{};
  result.type = type;
  if (captures(type)) {
    result.parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    result.parm.capture.timeperframe = per_frame_of(open.formats.capture_rate);
    result.parm.capture.readbuffers = 1;
  } else {
    result.parm.output.capability = V4L2_CAP_TIMEPERFRAME;
    result.parm.output.timeperframe = per_frame_of(open.formats.output_rate);
    result.parm.output.writebuffers = 1;
  }
  return stored(result);
}

IoctlAnswer set_rate(const OpenDevice& open, const v4l2_streamparm& asked) {
  if (captures(asked.type)) {
    open.formats.capture_rate = nearest_rate(open.card.camera.about(), asked.parm.capture.timeperframe);
  } else {
    const About any{open.formats.output.size, open.formats.output_rate, nullptr, true};
    open.formats.output_rate = nearest_rate(any, asked.parm.output.timeperframe);
  }
  return tell_rate(open, asked.type);
}

IoctlAnswer enumerate_input(const OpenDevice& open, const v4l2_input& asked) {
  if (asked.index != 0) {
    return error(EINVAL);
  }
  v4l2_input result{};
  put(result.name, "Camera");
  result.type = V4L2_INPUT_TYPE_CAMERA;
  result.status = open.card.producer != nullptr && !open.card.producer->taken() ? V4L2_IN_ST_NO_SIGNAL : 0U;
  return stored(result);
}

IoctlAnswer enumerate_output(const v4l2_output& asked) {
  if (asked.index != 0) {
    return error(EINVAL);
  }
  v4l2_output result{};
  put(result.name, "Pictures to capture");
  result.type = V4L2_OUTPUT_TYPE_ANALOG;
  return stored(result);
}

IoctlAnswer crop_capabilities(const OpenDevice& open, const v4l2_cropcap& asked) {
  if (!captures(asked.type)) {
    return error(EINVAL);
  }
  const Size size = open.card.camera.about().size;
  v4l2_cropcap result{};
  result.type = asked.type;
  result.bounds.width = size.width;
  result.bounds.height = size.height;
  result.defrect = result.bounds;
  result.pixelaspect = {.numerator = 1, .denominator = 1};
  return stored(result);
}

IoctlAnswer get_selection(const OpenDevice& open, v4l2_selection asked) {
  if (!captures(asked.type) ||
      (asked.target != V4L2_SEL_TGT_CROP_DEFAULT && asked.target != V4L2_SEL_TGT_CROP_BOUNDS)) {
    return error(EINVAL);
  }
  const Size size = open.card.camera.about().size;
  asked.r = {.left = 0, .top = 0, .width = size.width, .height = size.height};
  asked.flags = 0;
  std::fill(std::begin(asked.reserved), std::end(asked.reserved), 0);
  return stored(asked);
}

IoctlAnswer set_priority(const OpenDevice& open, std::uint32_t asked) {
  if (asked != V4L2_PRIORITY_BACKGROUND && asked != V4L2_PRIORITY_INTERACTIVE && asked != V4L2_PRIORITY_RECORD) {
    return error(EINVAL);
  }
  open.card.priorities.set(open.who, static_cast<v4l2_priority>(asked));
  return {};
}

IoctlAnswer only_zero(std::uint32_t index) {
  return index == 0 ? stored(index) : error(EINVAL);
}

}  // namespace

std::optional<IoctlAnswer> answer_card_ioctl(OpenDevice open, std::uint32_t command, std::span<const std::byte> input) {
  const bool has_outputs = open.card.producer != nullptr;
  switch (command) {
    case VIDIOC_QUERYCAP:
      return query_capabilities(open);
    case VIDIOC_ENUM_FMT:
      return with<v4l2_fmtdesc>(input, [&](const auto& asked) { return enumerate_formats(open, asked); });
    case VIDIOC_G_FMT:
      return with<v4l2_format>(input, [&](const auto& asked) { return get_format(open, asked); });
    case VIDIOC_S_FMT:
      return with<v4l2_format>(input, [&](const auto& asked) { return set_format(open, asked, false); });
    case VIDIOC_TRY_FMT:
      return with<v4l2_format>(input, [&](const auto& asked) { return set_format(open, asked, true); });
    case VIDIOC_ENUM_FRAMESIZES:
      return with<v4l2_frmsizeenum>(input, [&](const auto& asked) { return enumerate_sizes(open, asked); });
    case VIDIOC_ENUM_FRAMEINTERVALS:
      return with<v4l2_frmivalenum>(input, [&](const auto& asked) { return enumerate_intervals(open, asked); });
    case VIDIOC_G_PARM:
      return with<v4l2_streamparm>(input, [&](const auto& asked) {
        return captures(asked.type) || puts_in(open, asked.type) ? tell_rate(open, asked.type) : error(EINVAL);
      });
    case VIDIOC_S_PARM:
      return with<v4l2_streamparm>(input, [&](const auto& asked) {
        return captures(asked.type) || puts_in(open, asked.type) ? set_rate(open, asked) : error(EINVAL);
      });
    case VIDIOC_ENUMINPUT:
      return with<v4l2_input>(input, [&](const auto& asked) { return enumerate_input(open, asked); });
    case VIDIOC_G_INPUT:
      return only_zero(0);
    case VIDIOC_S_INPUT:
      return with<std::uint32_t>(input, only_zero);
    case VIDIOC_ENUMOUTPUT:
      return has_outputs ? with<v4l2_output>(input, enumerate_output) : error(ENOTTY);
    case VIDIOC_G_OUTPUT:
      return has_outputs ? only_zero(0) : error(ENOTTY);
    case VIDIOC_S_OUTPUT:
      return has_outputs ? with<std::uint32_t>(input, only_zero) : error(ENOTTY);
    case VIDIOC_CROPCAP:
      return with<v4l2_cropcap>(input, [&](const auto& asked) { return crop_capabilities(open, asked); });
    case VIDIOC_G_SELECTION:
      return with<v4l2_selection>(input, [&](const auto& asked) { return get_selection(open, asked); });
    case VIDIOC_G_PRIORITY:
      return stored(static_cast<std::uint32_t>(open.card.priorities.highest()));
    case VIDIOC_S_PRIORITY:
      return with<std::uint32_t>(input, [&](std::uint32_t asked) { return set_priority(open, asked); });
    default:
      return std::nullopt;
  }
}

bool needs_priority(std::uint32_t command) {
  // Those that v4l2-ioctl.c's table has as INFO_FL_PRIO, as far as there are any here.
  constexpr std::array kAll{VIDIOC_S_FMT,      VIDIOC_REQBUFS, VIDIOC_CREATE_BUFS, VIDIOC_STREAMON, VIDIOC_STREAMOFF,
                            VIDIOC_S_PARM,     VIDIOC_S_INPUT, VIDIOC_S_OUTPUT,    VIDIOC_S_CTRL,   VIDIOC_S_EXT_CTRLS,
                            VIDIOC_S_PRIORITY, VIDIOC_S_CROP,  VIDIOC_S_SELECTION};
  return std::find(kAll.begin(), kAll.end(), command) != kAll.end();
}

const char* ioctl_name(std::uint32_t command) {
#define DMMAP_NAMED(x) std::pair<std::uint32_t, const char*>(x, #x)
  constexpr std::array kNames{DMMAP_NAMED(VIDIOC_QUERYCAP),
                              DMMAP_NAMED(VIDIOC_ENUM_FMT),
                              DMMAP_NAMED(VIDIOC_G_FMT),
                              DMMAP_NAMED(VIDIOC_S_FMT),
                              DMMAP_NAMED(VIDIOC_TRY_FMT),
                              DMMAP_NAMED(VIDIOC_REQBUFS),
                              DMMAP_NAMED(VIDIOC_QUERYBUF),
                              DMMAP_NAMED(VIDIOC_QBUF),
                              DMMAP_NAMED(VIDIOC_EXPBUF),
                              DMMAP_NAMED(VIDIOC_DQBUF),
                              DMMAP_NAMED(VIDIOC_STREAMON),
                              DMMAP_NAMED(VIDIOC_STREAMOFF),
                              DMMAP_NAMED(VIDIOC_G_PARM),
                              DMMAP_NAMED(VIDIOC_S_PARM),
                              DMMAP_NAMED(VIDIOC_G_STD),
                              DMMAP_NAMED(VIDIOC_S_STD),
                              DMMAP_NAMED(VIDIOC_ENUMSTD),
                              DMMAP_NAMED(VIDIOC_QUERYSTD),
                              DMMAP_NAMED(VIDIOC_ENUMINPUT),
                              DMMAP_NAMED(VIDIOC_G_INPUT),
                              DMMAP_NAMED(VIDIOC_S_INPUT),
                              DMMAP_NAMED(VIDIOC_ENUMOUTPUT),
                              DMMAP_NAMED(VIDIOC_G_OUTPUT),
                              DMMAP_NAMED(VIDIOC_S_OUTPUT),
                              DMMAP_NAMED(VIDIOC_G_CTRL),
                              DMMAP_NAMED(VIDIOC_S_CTRL),
                              DMMAP_NAMED(VIDIOC_QUERYCTRL),
                              DMMAP_NAMED(VIDIOC_QUERY_EXT_CTRL),
                              DMMAP_NAMED(VIDIOC_QUERYMENU),
                              DMMAP_NAMED(VIDIOC_G_EXT_CTRLS),
                              DMMAP_NAMED(VIDIOC_S_EXT_CTRLS),
                              DMMAP_NAMED(VIDIOC_TRY_EXT_CTRLS),
                              DMMAP_NAMED(VIDIOC_CROPCAP),
                              DMMAP_NAMED(VIDIOC_G_CROP),
                              DMMAP_NAMED(VIDIOC_S_CROP),
                              DMMAP_NAMED(VIDIOC_G_SELECTION),
                              DMMAP_NAMED(VIDIOC_S_SELECTION),
                              DMMAP_NAMED(VIDIOC_G_PRIORITY),
                              DMMAP_NAMED(VIDIOC_S_PRIORITY),
                              DMMAP_NAMED(VIDIOC_ENUM_FRAMESIZES),
                              DMMAP_NAMED(VIDIOC_CREATE_BUFS),
                              DMMAP_NAMED(VIDIOC_PREPARE_BUF),
                              DMMAP_NAMED(VIDIOC_SUBSCRIBE_EVENT),
                              DMMAP_NAMED(VIDIOC_DQEVENT),
                              DMMAP_NAMED(VIDIOC_UNSUBSCRIBE_EVENT),
                              DMMAP_NAMED(VIDIOC_LOG_STATUS),
                              DMMAP_NAMED(VIDIOC_ENUM_FRAMEINTERVALS)};
#undef DMMAP_NAMED
  const auto* const found =
      std::find_if(kNames.begin(), kNames.end(), [command](const auto& each) { return each.first == command; });
  return found == kNames.end() ? "" : found->second;
}

}  // namespace dmmap::camera
