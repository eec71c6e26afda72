// Yuyv: what a pattern draws with, on a picture of AV_PIX_FMT_YUYV422.
//
// Promises: nothing outside of the picture is touched, given that what's drawn lies within. Thread safety: one thread
// at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "servers/camera/picture/av.h"

namespace dmmap::camera {

struct Rectangle {
  unsigned x = 0;
  unsigned y = 0;
  unsigned width = 0;
  unsigned height = 0;
  bool operator==(const Rectangle&) const = default;
};

/// BT.601, 16 to 235.
struct Colour {
  std::uint8_t y = 0;
  std::uint8_t u = 128;
  std::uint8_t v = 128;
};

inline constexpr Colour kBlack{16};
inline constexpr Colour kWhite{235};

/// The glyphs: 5 by 7 in a cell of 6 by 9, with room on the left, above and below.
inline constexpr unsigned kGlyphAcross = 6;
inline constexpr unsigned kGlyphDown = 9;
inline constexpr std::string_view kGlyphs = "0123456789:. ";
/// Seven lines of a character of kGlyphs, from above; the bit of value 16 is the leftmost. Any other is like a space.
[[nodiscard]] const std::uint8_t* glyph(char character);

class Yuyv {
 public:
  explicit Yuyv(AVFrame& picture) : picture_(&picture) {}

  /// REQUIRES: an even `x`; a width that is even or goes to the picture's edge.
  void fill(Rectangle area, Colour colour);
  /// Black on white or white on black cells, `scale` pixels each way, from the area's upper left corner; what they
  /// leave of the area is `rest`. `cells` has `across` for each line, and of each the lowest bit: 1 is `ones`.
  /// REQUIRES: colours without a hue.
  void cells(Rectangle area, const std::vector<std::uint8_t>& cells, unsigned across, unsigned scale, Colour ones,
             Colour rest);
  /// White on black from the left; what is too long is cut off on its left.
  void text(Rectangle area, std::string_view text, unsigned scale);

 private:
  [[nodiscard]] std::uint8_t* at(unsigned x, unsigned y) const {
    return picture_->data[0] + static_cast<std::ptrdiff_t>(y) * picture_->linesize[0] + std::size_t{x} * 2;
  }
  AVFrame* picture_;
};

}  // namespace dmmap::camera
