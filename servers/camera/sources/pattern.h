// Pattern: a test picture that says which it is.
//
// EBU bars (100/0/75/0); along both edges the frame mark; above the lower one a black band with a white block whose
// place is the number's; the number, and below it the wall clock, for a person; a QR code of "dmmap NAME frame N". A
// picture that's too small for one of these does without it: first the QR code goes, then number and clock, the marks,
// the band.
//
// Promises: two pictures of the same number and time are the same, byte for byte. Only what changes is drawn. Thread
// safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "servers/camera/sources/picture_pool.h"
#include "servers/camera/sources/yuyv.h"

namespace dmmap::camera {

/// Where what is; what there's no room for has no width.
struct PatternLayout {
  bool marks = false;
  Rectangle band;
  Rectangle number;
  Rectangle clock;
  unsigned text_scale = 0;
  Rectangle qr;  ///< with its quiet zone
};
[[nodiscard]] PatternLayout lay_out_pattern(Size size);
/// The white block of that number, in `band`.
[[nodiscard]] Rectangle moving_block(Rectangle band, std::uint64_t number);
/// HH:MM:SS.mmm, local time.
[[nodiscard]] std::string clock_text(std::chrono::system_clock::time_point wall);

class Pattern {
 public:
  /// REQUIRES: a size within the limits.
  Pattern(Size size, std::string name);

  /// AV_PIX_FMT_YUYV422.
  [[nodiscard]] Picture draw(std::uint64_t number, std::chrono::system_clock::time_point wall);
  /// Frees what it holds; it can draw again.
  void forget() { pool_.forget(); }

 private:
  void draw_qr(Yuyv& canvas, std::uint64_t number) const;

  Size size_;
  std::string name_;
  PatternLayout layout_;
  PicturePool pool_;
};

}  // namespace dmmap::camera
