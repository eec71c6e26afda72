// What an open video device has been set to, and what it can be set to: formats, sizes, rates.
//
// Thread safety: every function, from any thread; an OpenFormats is guarded by its stream's lock.
#pragma once

#include <linux/videodev2.h>

#include <optional>
#include <vector>

#include "servers/camera/picture/av.h"
#include "servers/camera/picture/pixel_format.h"
#include "servers/camera/sources/source.h"

namespace dmmap::camera {

/// What one open file captures, and what it puts in.
struct OpenFormats {
  Layout capture;
  Rate capture_rate;
  Layout output;
  Rate output_rate;
  v4l2_pix_format output_colours{};  ///< what its program says of them, in the fields that V4L2 has for that
};

/// As a device is when it's opened.
[[nodiscard]] OpenFormats usual_formats(const About& about);

/// That of this position in VIDIOC_ENUM_FMT: the source's own is the first.
[[nodiscard]] const PixelFormat* capture_format(const About& about, unsigned index);
/// What a program can put in.
[[nodiscard]] const PixelFormat* output_format(unsigned index);

/// The sizes that can be captured where a program may not ask for any: the source's, and the usual ones that are
/// smaller.
[[nodiscard]] std::vector<Size> capture_sizes(const About& about, const PixelFormat& format);
/// The rates likewise: the source's, and the usual ones that are lower.
[[nodiscard]] std::vector<Rate> capture_rates(const About& about);

/// The nearest that can be captured (UVC's way: the size that has most of its area in common).
[[nodiscard]] Layout nearest_capture(const About& about, const v4l2_pix_format& wanted);
/// The nearest that can be put in.
[[nodiscard]] Layout nearest_output(const v4l2_pix_format& wanted);
/// The nearest by time. A fraction with a 0 means the highest.
[[nodiscard]] Rate nearest_rate(const About& about, const v4l2_fract& per_frame);

/// Puts into `format` what `asked` says of colours: of extended fields only where `asked` has them
/// (V4L2_PIX_FMT_PRIV_MAGIC).
void take_colours(const v4l2_pix_format& asked, v4l2_pix_format& format);
/// libavutil's names of them.
[[nodiscard]] Colours colours_of(const v4l2_pix_format& format);

/// As VIDIOC_G_FMT tells it.
[[nodiscard]] v4l2_pix_format pix_format_of(const Layout& layout);
[[nodiscard]] v4l2_fract per_frame_of(const Rate& rate);

}  // namespace dmmap::camera
