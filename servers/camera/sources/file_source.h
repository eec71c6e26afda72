// FileSource: a picture, or a video in a loop.
//
// Promises: as Source's. A picture is decoded once between begin() and end(), and each Shot has the same. A video plays
// by its timestamps, or at the wished rate, by leaving pictures out or showing them again. What can't be decoded in
// time makes it slower, and is told by gaps in the numbers; it never comes to nothing. Thread safety: as Source's.
#pragma once

#include <dmmap/log.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "servers/camera/sources/pause.h"
#include "servers/camera/sources/source.h"
#include "servers/camera/sources/ticker.h"
#include "servers/camera/sources/video_file.h"

namespace dmmap::camera {

class FileSource final : public Source {
 public:
  /// Decodes the first picture, and whether there's a second. Errors: VideoFile::open()'s; EPROTO when there's none.
  [[nodiscard]] static Result<std::unique_ptr<FileSource>> create(std::string path, const SourceWish& wish,
                                                                  LogSink log);

  [[nodiscard]] About about() const override { return about_; }
  void begin() override;
  Result<Shot> next() override;
  void end() override;
  void interrupt() override;

 private:
  FileSource(std::string path, LogSink log) : path_(std::move(path)), log_(std::move(log)) {}
  Result<void> look(const SourceWish& wish);
  Result<Shot> next_by_time();
  Result<Shot> next_by_tick();
  /// The next of an endless film: the file again and again.
  Result<Decoded> decode();
  void close();

  const std::string path_;
  const LogSink log_;
  About about_;
  bool still_ = false;
  bool by_tick_ = false;

  Pause pause_;
  Ticker ticker_;
  std::unique_ptr<VideoFile> file_;
  std::uint64_t round_ = 0;            // pictures of this round
  std::chrono::nanoseconds start_{0};  // of this round, in the film
  std::chrono::nanoseconds end_{0};    // of what was decoded last, in the film
  std::optional<Time> began_;          // when the film did, or would have
  std::uint64_t number_ = 0;           // of the next shot, by time
  Picture shown_;                      // by tick
  std::optional<Decoded> ahead_;       // what comes after that
};

}  // namespace dmmap::camera
