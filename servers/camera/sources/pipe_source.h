// PipeSource: pictures as bytes, from standard input, a FIFO or a file: raw, or a YUV4MPEG2 stream.
//
// Promises: as Source's. At most one picture is read before its time; then the writer waits. A Shot's time is when its
// last byte came. When a FIFO's writer goes, the next begins with a whole picture, or a header of its own; what came of
// a picture that was cut off is left out, and the log says so. A writer that leaves before the next has come is told
// from it; where they overlap, Y4M has them told between two pictures. Of a writer that sends what can't be read
// nothing more is taken: the next one's is. A file that was named begins from its start at each begin(). Thread safety:
// as Source's.
#pragma once

#include <dmmap/log.h>
#include <dmmap/thread_safety.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "servers/camera/sources/picture_pool.h"
#include "servers/camera/sources/pipe.h"
#include "servers/camera/sources/source.h"
#include "servers/camera/sources/y4m_header.h"

namespace dmmap::camera {

class PipeSource final : public Source {
 public:
  /// A choice of raw or y4m. Errors: Pipe::open()'s; EINVAL for raw pictures without a size, or with one that their
  /// format can't have; EPROTO for a file that isn't Y4M.
  [[nodiscard]] static Result<std::unique_ptr<PipeSource>> create(const SourceChoice& choice, const SourceWish& wish,
                                                                  LogSink log);

  [[nodiscard]] About about() const override DMMAP_EXCLUDES(lock_);
  void begin() override;
  Result<Shot> next() override;
  void end() override;
  void interrupt() override { pipe_->interrupt(); }

 private:
  /// What is read next.
  enum class Part { header, frame_line, frame };
  enum class Got { part, end };

  PipeSource(std::string name, SourceWish wish, std::unique_ptr<Pipe> pipe, LogSink log);
  void expect_raw(const PixelFormat& format, Size size);
  /// Pictures of this kind follow. Without a pool before.
  void expect(const Y4mHeader& header) DMMAP_EXCLUDES(lock_);
  /// Until there's a whole picture.
  Result<void> read_picture();
  Result<Got> read_line();
  Result<Got> read_frame();
  Result<void> take_line();
  /// The writer has gone, or the file ends.
  Result<void> ended();
  /// The rest of what a writer sends that can't be read.
  Result<void> skip_writer();
  void start_anew();

  const std::string name_;  // for people
  const SourceWish wish_;
  const std::unique_ptr<Pipe> pipe_;
  const LogSink log_;
  bool y4m_ = false;

  Part part_ = Part::frame;
  std::string line_;        // what has come of it
  NewPicture picture_;      // the one that's being read
  std::size_t filled_ = 0;  // its bytes that have come
  bool whole_ = false;
  Time came_{};
  std::size_t bytes_ = 0;  // of a picture
  std::unique_ptr<PicturePool> pool_;
  std::optional<Error> failed_;
  std::uint64_t number_ = 0;
  Time due_{};  // no picture before

  mutable Mutex lock_;
  About about_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::camera
