// The ioctls of a video device that are about its controls.
//
// Promises: as card_ioctls.h's. Extended controls are in memory of the client's that its argument only points to, which
// an ioctl of a FUSE file doesn't carry: it's read and written there (servers/device/client.h), or refused with ENOTTY
// where this process mustn't, so that programs do without. Thread safety: every function, from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "servers/camera/engine/controls.h"
#include "servers/device/ioctl_answer.h"

namespace dmmap::camera {

/// One call, as these ioctls see it.
struct ControlCall {
  Controls& controls;
  std::uint32_t client = 0;                    ///< whose memory extended controls are in
  std::function<void(std::uint32_t)> changed;  ///< this control has another value now
};

/// Nothing for a number that isn't among them.
[[nodiscard]] std::optional<device::IoctlAnswer> answer_control_ioctl(const ControlCall& call, std::uint32_t command,
                                                                      std::span<const std::byte> input);

/// V4L2_CTRL_FLAG_ bits.
[[nodiscard]] std::uint32_t control_flags(const ControlInfo& info);

}  // namespace dmmap::camera
