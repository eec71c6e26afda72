// Source: where a camera's pictures come from.
//
// Promises: nothing is read, decoded or drawn between end() and begin(), and little is held: what has been decoded
// goes, and so do files; a pipe stays open, since its writer would see it closed. Thread safety: about() and
// interrupt() from any thread; the rest from one, in the order begin, next and next, end, and begin again.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "servers/camera/picture/picture.h"
#include "servers/camera/picture/pixel_format.h"

namespace dmmap::camera {

/// What a source's pictures are like. It may change while it's read.
struct About {
  /// What consumers are offered: the wish's size, or else that of the pictures, brought within the limits of both
  /// sides. A picture can have another size: whoever shows it scales it.
  Size size;
  Rate rate;
  /// The format that a picture of `size` has already, so that it's only copied; null where that's none of V4L2's.
  const PixelFormat* native = nullptr;
  /// Programs may ask for any size and rate, since what the pictures will be like isn't known before.
  bool any_size = false;
  bool operator==(const About&) const = default;
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  [[nodiscard]] virtual About about() const = 0;

  /// Somebody looks. A pattern counts from 0 again, a file begins from its start, a pipe goes on where it was.
  virtual void begin() = 0;
  /// The next picture, which is waited for: until its time has come, or until it's there. What comes late is left out.
  /// Errors: ECANCELED after interrupt(), until the next begin(); ENODATA when there'll be no more pictures; EPROTO for
  /// bytes that aren't what was said; EIO and others when there are none for another reason. Each has a message for
  /// the log. After an error other than ECANCELED it can be called again, and fails at once or waits for what may yet
  /// come; it's for the caller not to ask without a pause.
  virtual Result<Shot> next() = 0;
  /// Nobody looks any more.
  virtual void end() = 0;

  /// Whether somebody looks, from now on: told before begin(), and before interrupt() when the last one leaves. Thread
  /// safety: from any thread, one after the other.
  virtual void watched(bool /*somebody*/) {}

  /// next() returns at once, from now on until begin().
  virtual void interrupt() = 0;
};

/// `dmmap camera --source`.
struct SourceChoice {
  enum class Kind { pattern, file, y4m, raw, device };
  Kind kind = Kind::pattern;
  std::string file{};                   ///< absolute, or "-": standard input
  const PixelFormat* format = nullptr;  ///< of raw
  bool operator==(const SourceChoice&) const = default;
};

/// What is asked for of a source that can be as one likes; where absent, it's as the source is by itself.
///
/// `size` is what a pattern draws and how a raw source's bytes lie. A file's and a Y4M stream's pictures keep the size
/// that they have; the wish is only what About offers. `rate` is a pattern's and a picture's; a video is played at it
/// by leaving pictures out or showing them twice; pipes are read no faster than that.
struct SourceWish {
  std::optional<Size> size;
  std::optional<Rate> rate;
  std::string name;  ///< the camera's, "video0": a pattern shows it
};

/// "pattern", "file:PATH" (a picture or a video), "y4m:PATH", "raw:FORMAT:PATH", "device". PATH can be "-" for y4m and
/// raw; one that is relative is made absolute against the present directory. Nothing is opened.
/// Errors: EINVAL, with what can be said.
[[nodiscard]] Result<SourceChoice> parse_source(std::string_view text);

/// Any but a device, which is made by who has the producers (EINVAL). Opens what it's to read, but doesn't wait for a
/// FIFO. A file's first picture is decoded, a plain Y4M file's header read.
/// Errors: EINVAL for what doesn't go together (a raw source without a size, a size that its format can't have) or
/// isn't within the limits; EPROTO for what isn't a picture or video that libavformat knows, or no Y4M file; those of
/// open(2). All with a message that says what to do.
[[nodiscard]] Result<std::unique_ptr<Source>> open_source(const SourceChoice& choice, const SourceWish& wish,
                                                          const LogSink& log);

}  // namespace dmmap::camera
