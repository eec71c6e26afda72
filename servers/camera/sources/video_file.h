// VideoFile: the pictures of a file, once from its start to its end: of a video, or the one of a picture.
//
// What kind of file it is, its contents say, not its name; what it may refer to (playlists do) isn't read.
//
// Promises: a packet or picture that's broken is left out; whatever the file's timestamps are, each picture
// comes later than the one before. Everything is broken off soon when the Pause is interrupted. Thread safety: one
// thread at a time.
#pragma once

#include <dmmap/error.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "servers/camera/picture/av.h"
#include "servers/camera/sources/pause.h"

namespace dmmap::camera {

struct Decoded {
  Picture picture;
  std::chrono::nanoseconds at{0};        ///< since the file's first
  std::chrono::nanoseconds duration{0};  ///< more than 0
};

class VideoFile {
 public:
  /// Errors: ECANCELED; those of open(2); EISDIR, EINVAL for what isn't a file; EPROTO for one that libavformat or
  /// libavcodec can't read. All but the first with what to do. REQUIRES: `pause` stays while this does.
  [[nodiscard]] static Result<std::unique_ptr<VideoFile>> open(const std::string& path, const Pause& pause);

  VideoFile(const VideoFile&) = delete;
  VideoFile& operator=(const VideoFile&) = delete;
  ~VideoFile();

  /// Nothing at the end. Errors: ECANCELED; EIO and others where the file can't be read.
  [[nodiscard]] Result<std::optional<Decoded>> next();
  /// What the file says, or 30 a second.
  [[nodiscard]] Rate rate() const { return rate_; }
  /// Whether any packet or picture was left out.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  /// What libavformat reads through.
  struct Bytes;
  struct IoFree {
    void operator()(AVIOContext* io) const;
  };
  VideoFile(std::string path, const Pause& pause);
  Result<void> open_bytes();
  Result<void> open_input();
  Result<void> open_codec();
  /// One packet more for the codec, or that there are no more.
  Result<void> feed();
  [[nodiscard]] Decoded timed(AvFrame frame);
  [[nodiscard]] tl::unexpected<Error> unreadable(int error) const;

  std::string path_;
  const Pause* pause_;
  std::unique_ptr<Bytes> bytes_;
  std::unique_ptr<AVIOContext, IoFree> io_;
  AvInput input_;
  AvCodec codec_;
  int stream_ = -1;
  Rate rate_;
  bool draining_ = false;
  bool broken_ = false;
  unsigned failures_ = 0;  // one after the other
  std::optional<std::int64_t> first_;
  std::chrono::nanoseconds last_{-1};  // when the last picture began
  std::chrono::nanoseconds end_{0};    // and when it ends
};

}  // namespace dmmap::camera
