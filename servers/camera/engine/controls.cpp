#include "servers/camera/engine/controls.h"

#include <linux/videodev2.h>

#include <algorithm>

namespace dmmap::camera {

namespace {

constexpr std::int32_t kByte = 255;
constexpr std::array kInfos{
    ControlInfo{V4L2_CID_USER_CLASS, V4L2_CTRL_TYPE_CTRL_CLASS, "User Controls", 0, 0, 0, false},
    ControlInfo{V4L2_CID_BRIGHTNESS, V4L2_CTRL_TYPE_INTEGER, "Brightness", -128, 127, 0, true},
    ControlInfo{V4L2_CID_CONTRAST, V4L2_CTRL_TYPE_INTEGER, "Contrast", 0, kByte, Adjustments::kEven, true},
    ControlInfo{V4L2_CID_SATURATION, V4L2_CTRL_TYPE_INTEGER, "Saturation", 0, kByte, Adjustments::kEven, true},
    ControlInfo{V4L2_CID_HFLIP, V4L2_CTRL_TYPE_BOOLEAN, "Horizontal Flip", 0, 1, 0, false},
    ControlInfo{V4L2_CID_VFLIP, V4L2_CTRL_TYPE_BOOLEAN, "Vertical Flip", 0, 1, 0, false},
    ControlInfo{V4L2_CID_JPEG_CLASS, V4L2_CTRL_TYPE_CTRL_CLASS, "JPEG Compression Controls", 0, 0, 0, false},
    ControlInfo{V4L2_CID_JPEG_COMPRESSION_QUALITY, V4L2_CTRL_TYPE_INTEGER, "Compression Quality", 1, 100, 85, false},
};

std::optional<std::size_t> index_of(std::uint32_t id) {
  const auto* const found = std::find_if(kInfos.begin(), kInfos.end(), [&](const auto& each) { return each.id == id; });
  return found == kInfos.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - kInfos.begin()));
}

}  // namespace

std::span<const ControlInfo> control_infos() {
  return kInfos;
}

const ControlInfo* find_control(std::uint32_t id) {
  const auto index = index_of(id);
  return index ? &kInfos.at(*index) : nullptr;
}

Controls::Controls() {
  static_assert(kInfos.size() == kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    values_.at(i) = kInfos.at(i).usual;
  }
}

std::optional<std::int32_t> Controls::get(std::uint32_t id) const {
  const auto index = index_of(id);
  return index ? std::optional(values_.at(*index).load()) : std::nullopt;
}

std::optional<std::int32_t> Controls::set(std::uint32_t id, std::int32_t value) {
  const auto index = index_of(id);
  if (!index) {
    return std::nullopt;
  }
  const ControlInfo& info = kInfos.at(*index);
  const std::int32_t possible = std::clamp(value, info.least, info.most);
  values_.at(*index) = possible;
  return possible;
}

Adjustments Controls::adjustments() const {
  const auto value = [this](std::uint32_t id) { return get(id).value_or(0); };
  return {.brightness = value(V4L2_CID_BRIGHTNESS),
          .contrast = value(V4L2_CID_CONTRAST),
          .saturation = value(V4L2_CID_SATURATION),
          .mirrored = value(V4L2_CID_HFLIP) != 0,
          .upside_down = value(V4L2_CID_VFLIP) != 0,
          .jpeg_quality = value(V4L2_CID_JPEG_COMPRESSION_QUALITY)};
}

}  // namespace dmmap::camera
