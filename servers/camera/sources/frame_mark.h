// The frame mark: a picture's number, in the picture, for a program to read.
//
// The number's 32 bits and a CRC of 16 are black and white cells, 16 in a line and three lines, along the upper edge
// and once more along the lower. A cell is 1/16 of the width and 1/32 of the height, so the mark is found again in a
// picture that was scaled, to half or twice the size or another aspect, and it's coarse enough for JPEG.
//
// Promises: a mark that was torn or damaged isn't taken for a whole one, but with the odds of 16 bits. Nothing outside
// of the picture is touched. Thread safety: every function, from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "servers/camera/picture/pixel_format.h"

namespace dmmap::camera {

/// Pixels from each edge that the mark takes.
[[nodiscard]] unsigned mark_height(unsigned height);

/// Whether a picture has room for marks: 64 pixels each way. To be read from a picture of half the size it has to be
/// 128 high.
[[nodiscard]] bool has_room_for_mark(Size size);

/// Draws both marks into luma, whose pixels are `step` bytes apart. The chroma there is to be neutral.
/// REQUIRES: has_room_for_mark(size).
void draw_frame_marks(std::uint8_t* luma, std::ptrdiff_t stride, Size size, std::uint32_t number,
                      std::ptrdiff_t step = 1);

/// What can be read at each edge.
struct FrameMarks {
  std::optional<std::uint32_t> upper;
  std::optional<std::uint32_t> lower;
  bool operator==(const FrameMarks&) const = default;
  /// Of a picture that is one frame's from top to bottom.
  [[nodiscard]] std::optional<std::uint32_t> whole() const { return upper == lower ? upper : std::nullopt; }
  /// Two frames in one picture.
  [[nodiscard]] bool torn() const { return upper && lower && *upper != *lower; }
};

/// Of luma of any size and either range, 16 to 235 or 0 to 255.
[[nodiscard]] FrameMarks read_frame_marks(const std::uint8_t* luma, std::ptrdiff_t stride, Size size,
                                          std::ptrdiff_t step = 1);

/// The number of a picture that has the same at both edges; nothing for any other.
[[nodiscard]] std::optional<std::uint32_t> read_frame_mark(const std::uint8_t* luma, std::ptrdiff_t stride, Size size,
                                                           std::ptrdiff_t step = 1);

}  // namespace dmmap::camera
