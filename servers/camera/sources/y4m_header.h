// Y4mHeader: what the first line of a YUV4MPEG2 stream says (yuv4mpeg(5)).
//
// Promises: what is returned can be read: a format that libavutil has, sides within the limits, a rate above 0. Thread
// safety: every function, from any thread.
#pragma once

#include <dmmap/error.h>

#include <optional>
#include <string_view>

#include "servers/camera/picture/picture.h"
#include "servers/camera/picture/pixel_format.h"

namespace dmmap::camera {

inline constexpr std::string_view kY4mMagic = "YUV4MPEG2";
inline constexpr std::string_view kY4mFrame = "FRAME";

struct Y4mHeader {
  Size size;
  std::optional<Rate> rate;  ///< nothing where it's said to be unknown
  int av_format = -1;        ///< enum AVPixelFormat
  int chroma_location = 0;   ///< enum AVChromaLocation
  bool full_range = false;   ///< 0 to 255
  bool operator==(const Y4mHeader&) const = default;
};

/// `line` without its newline. Interlacing and the pixels' aspect are ignored.
/// Errors: EPROTO, with what to do.
[[nodiscard]] Result<Y4mHeader> parse_y4m_header(std::string_view line);

/// Whether `line`, or what has come of it, can be one that begins with `word` alone or with `word` and a space.
[[nodiscard]] bool may_begin_with(std::string_view line, std::string_view word);

}  // namespace dmmap::camera
