// Source: where a camera's pictures come from.
//
// Promises: nothing is read, decoded or drawn between end() and begin(). Thread safety: about() and interrupt() from
// any thread; the rest from one, in the order begin, next and next, end.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <memory>
#include <optional>
#include <string>

#include "servers/camera/picture/picture.h"
#include "servers/camera/picture/pixel_format.h"

namespace dmmap::camera {

/// What a source's pictures are like. It may change while it's read.
struct About {
  Size size;
  Rate rate;
  /// The format that a picture has already, so that it's only copied; null where that's none of V4L2's.
  const PixelFormat* native = nullptr;
  bool operator==(const About&) const = default;
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  [[nodiscard]] virtual About about() const = 0;

  /// Somebody looks.
  virtual void begin() = 0;
  /// The next picture, which is waited for: until its time has come, or until it's there. What comes late is left out.
  /// Errors: ECANCELED after interrupt(), until the next begin(); ENODATA when there'll be no more pictures; EIO and
  /// others, with a message for the log, when there'll be none for another reason.
  virtual Result<Shot> next() = 0;
  /// Nobody looks any more.
  virtual void end() = 0;

  /// next() returns at once, from now on until begin().
  virtual void interrupt() = 0;
};

/// `dmmap camera --source`.
struct SourceChoice {
  enum class Kind { pattern, file, y4m, raw, device };
  Kind kind = Kind::pattern;
  std::string file;                     ///< "-": standard input; made absolute by who parses
  const PixelFormat* format = nullptr;  ///< of raw
};

/// What is asked for of a source that can be as one likes; where absent, it's as the source is by itself.
struct SourceWish {
  std::optional<Size> size;
  std::optional<Rate> rate;
  std::string name;  ///< the camera's, "video0": a pattern shows it
};

/// "pattern", "file:PATH" (a picture or a video), "y4m:PATH", "raw:FORMAT:PATH", "device"; PATH can be "-" for y4m and
/// raw. Errors: EINVAL, with what can be said.
[[nodiscard]] Result<SourceChoice> parse_source(const std::string& text);

/// Any but a device, which is made by who has the producers. Opens what it's to read, but doesn't wait for a FIFO.
/// Errors: EINVAL for what doesn't go together (a raw source without a size, a size that a file hasn't); EPROTO for
/// what isn't a picture or video that libavformat knows; those of open(2). All with a message that says what to do.
[[nodiscard]] Result<std::unique_ptr<Source>> open_source(const SourceChoice& choice, const SourceWish& wish,
                                                          const LogSink& log);

}  // namespace dmmap::camera
