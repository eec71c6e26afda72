// The ioctls of a video device that are about the card and about what is captured, rather than about buffers.
//
// Promises: every number and every input gets an answer; what Linux's V4L2 refuses is refused with the same error
// (drivers/media/v4l2-core/v4l2-ioctl.c; the media uAPI's "Video for Linux" part). Thread safety: as OpenFormats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "servers/camera/device/card.h"
#include "servers/camera/device/video_format.h"
#include "servers/device/ioctl_answer.h"

namespace dmmap::camera {

/// One open file, as these ioctls see it.
struct OpenDevice {
  Card& card;
  OpenFormats& formats;
  const void* who = nullptr;  ///< for Card::priorities and Card::producer
  bool capture_busy = false;  ///< it has buffers, so its format stays
  bool output_busy = false;
};

/// Nothing for a number that isn't among them.
[[nodiscard]] std::optional<device::IoctlAnswer> answer_card_ioctl(OpenDevice open, std::uint32_t command,
                                                                   std::span<const std::byte> input);

/// Whether it changes something, so that a program of lower priority than another mustn't.
[[nodiscard]] bool needs_priority(std::uint32_t command);

/// "VIDIOC_QBUF"; empty for a number that isn't V4L2's.
[[nodiscard]] const char* ioctl_name(std::uint32_t command);

}  // namespace dmmap::camera
