// Controls: what programs can set of a camera's pictures (V4L2's "user controls"), for all who look.
//
// Thread safety: every call, from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

namespace dmmap::camera {

struct ControlInfo {
  std::uint32_t id = 0;    ///< V4L2_CID_
  std::uint32_t type = 0;  ///< V4L2_CTRL_TYPE_
  const char* name = "";
  std::int32_t least = 0;
  std::int32_t most = 0;
  std::int32_t usual = 0;
  bool slider = false;
};

/// By rising number, each class (V4L2_CTRL_TYPE_CTRL_CLASS), which has no value, before its controls.
[[nodiscard]] std::span<const ControlInfo> control_infos();
/// Null where there's no such control or class.
[[nodiscard]] const ControlInfo* find_control(std::uint32_t id);

/// What the controls say at one moment.
struct Adjustments {
  std::int32_t brightness = 0;    ///< added to luma
  std::int32_t contrast = 128;    ///< luma's distance from grey times this / 128
  std::int32_t saturation = 128;  ///< colour times this / 128
  bool mirrored = false;
  bool upside_down = false;
  std::int32_t jpeg_quality = 85;  ///< percent
  /// Whether a picture stays as it is.
  [[nodiscard]] bool none() const {
    return brightness == 0 && contrast == kEven && saturation == kEven && !mirrored && !upside_down;
  }
  static constexpr std::int32_t kEven = 128;
};

class Controls {
 public:
  Controls();
  /// Nothing where there's no such control; 0 for a class.
  [[nodiscard]] std::optional<std::int32_t> get(std::uint32_t id) const;
  /// The nearest that it can be. Returns that; nothing where there's no such control.
  std::optional<std::int32_t> set(std::uint32_t id, std::int32_t value);
  [[nodiscard]] Adjustments adjustments() const;

 private:
  static constexpr std::size_t kCount = 8;
  std::array<std::atomic<std::int32_t>, kCount> values_{};
};

}  // namespace dmmap::camera
