#include "servers/camera/sources/pipe_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

namespace dmmap::camera {

namespace {

constexpr Size kUntilAHeaderCame{640, 480};
constexpr std::size_t kLongestLine = 1024;

std::size_t bytes_of(int av_format, Size size) {
  return static_cast<std::size_t>(av_image_get_buffer_size(
      static_cast<AVPixelFormat>(av_format), static_cast<int>(size.width), static_cast<int>(size.height), 1));
}

// A picture whose lines follow each other without a gap, as they come.
NewPicture gapless_picture(const Y4mHeader& header) {
  constexpr std::size_t kPadding = 64;  // libswscale reads a little beyond
  NewPicture picture(av_frame_alloc(), AvFrameFree());
  if (!picture) {
    throw std::bad_alloc();
  }
  picture->buf[0] = av_buffer_allocz(bytes_of(header.av_format, header.size) + kPadding);
  if (picture->buf[0] == nullptr) {
    throw std::bad_alloc();
  }
  const auto format = static_cast<AVPixelFormat>(header.av_format);
  picture->format = format;
  picture->width = static_cast<int>(header.size.width);
  picture->height = static_cast<int>(header.size.height);
  av_image_fill_arrays(picture->data, picture->linesize, picture->buf[0]->data, format, picture->width, picture->height,
                       1);
  const AVPixFmtDescriptor* const described = av_pix_fmt_desc_get(format);
  const bool rgb = described != nullptr && (described->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  picture->color_range = header.full_range || rgb ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  picture->chroma_location = static_cast<AVChromaLocation>(header.chroma_location);
  return picture;
}

// V4L2's YUV goes from 16 to 235.
const PixelFormat* native_of(const Y4mHeader& header) {
  for (const PixelFormat& each : pixel_formats()) {
    if (!each.compressed() && each.av == header.av_format && !header.full_range) {
      return fitting(each, header.size) == header.size ? &each : nullptr;
    }
  }
  return nullptr;
}

}  // namespace

PipeSource::PipeSource(std::string name, SourceWish wish, std::unique_ptr<Pipe> pipe, LogSink log)
    : name_(std::move(name)), wish_(std::move(wish)), pipe_(std::move(pipe)), log_(std::move(log)) {
  about_.size = wish_.size.value_or(kUntilAHeaderCame);
  about_.rate = wish_.rate.value_or(Rate());
}

Result<std::unique_ptr<PipeSource>> PipeSource::create(const SourceChoice& choice, const SourceWish& wish,
                                                       LogSink log) {
  const bool raw = choice.kind == SourceChoice::Kind::raw;
  if (raw && choice.format->compressed()) {
    return fail(EINVAL,
                "raw:MJPEG: can't be read; say file:PATH for a file, or have ffmpeg make Y4M of it and say "
                "y4m:PATH");
  }
  if (raw && !wish.size) {
    return fail(EINVAL, "the size of raw pictures isn't in them; say --size WIDTHxHEIGHT");
  }
  if (raw && fitting(*choice.format, *wish.size) != *wish.size) {
    return fail(EINVAL,
                fmt::format("pictures of {} can't be {}x{}; their width is to be a multiple of {}, their height "
                            "of {}",
                            choice.format->name, wish.size->width, wish.size->height, choice.format->horizontal,
                            choice.format->vertical));
  }
  auto pipe = Pipe::open(choice.file);
  if (!pipe) {
    return tl::unexpected(pipe.error());
  }
  std::unique_ptr<PipeSource> source(
      new PipeSource(choice.file == "-" ? "standard input" : choice.file, wish, std::move(*pipe), std::move(log)));
  if (raw) {
    source->expect_raw(*choice.format, *wish.size);
    return source;
  }
  source->y4m_ = true;
  source->start_anew();
  if (source->pipe_->rewind()) {
    // A file has its header now.
    const auto got = source->read_line();
    const auto taken = !got                    ? Result<void>(tl::unexpected(got.error()))
                       : *got == Got::part     ? source->take_line()
                       : source->line_.empty() ? Result<void>(fail(EPROTO, "it's empty"))
                                               : Result<void>(fail(EPROTO, "its header is cut off"));
    if (!taken) {
      return fail(taken.error().code, fmt::format("{}: {}", choice.file, taken.error().message));
    }
  }
  return source;
}

About PipeSource::about() const {
  const MutexLock lock(lock_);
  return about_;
}

void PipeSource::expect_raw(const PixelFormat& format, Size size) {
  expect({.size = size, .rate = std::nullopt, .av_format = format.av});
}

void PipeSource::expect(const Y4mHeader& header) {
  bytes_ = bytes_of(header.av_format, header.size);
  pool_ = std::make_unique<PicturePool>([header] { return gapless_picture(header); });
  const MutexLock lock(lock_);
  about_.size = wish_.size.value_or(header.size);
  about_.rate = wish_.rate.value_or(header.rate.value_or(Rate()));
  about_.native = about_.size == header.size ? native_of(header) : nullptr;
}

void PipeSource::start_anew() {
  part_ = y4m_ ? Part::header : Part::frame;
  line_.clear();
  picture_.reset();
  filled_ = 0;
  whole_ = false;
  failed_.reset();
}

void PipeSource::begin() {
  pipe_->reset();
  if (pipe_->rewind()) {
    start_anew();
  }
  number_ = 0;
  due_ = Time();
}

void PipeSource::end() {
  // A picture that has come in part stays: the rest of it is still in the pipe.
  if (pool_) {
    pool_->forget();
  }
}

Result<Shot> PipeSource::next() {
  if (failed_ && !pipe_->another_may_come()) {
    return tl::unexpected(*failed_);
  }
  if (failed_) {
    if (const auto skipped = skip_writer(); !skipped) {
      return tl::unexpected(skipped.error());
    }
    start_anew();
  }
  if (const auto read = read_picture(); !read) {
    return tl::unexpected(read.error());
  }
  due_ = std::max(due_, came_);
  if (!pipe_->wait_until(due_)) {
    return fail(ECANCELED, "nobody waits for a picture any more");
  }
  due_ += about().rate.period();
  whole_ = false;
  filled_ = 0;
  return Shot{std::exchange(picture_, nullptr), came_, number_++};
}

Result<void> PipeSource::read_picture() {
  while (!whole_) {
    const auto got = part_ == Part::frame ? read_frame() : read_line();
    Result<void> done;
    if (!got) {
      done = tl::unexpected(got.error());
    } else if (*got == Got::end) {
      done = ended();
    } else if (part_ == Part::frame) {
      whole_ = true;
      came_ = Clock::now();
      part_ = y4m_ ? Part::frame_line : Part::frame;
    } else {
      done = take_line();
    }
    if (!done && done.error().code == EPROTO) {
      failed_ = Error{EPROTO, fmt::format("{}: {}", name_, done.error().message)};
      return tl::unexpected(*failed_);
    }
    if (!done) {
      return done;
    }
  }
  return {};
}

// A byte at a time: what follows the line is read to where it belongs.
Result<PipeSource::Got> PipeSource::read_line() {
  for (;;) {
    std::array<std::uint8_t, 1> byte{};
    const auto got = pipe_->read(byte);
    if (!got) {
      return tl::unexpected(got.error());
    }
    if (*got == 0) {
      return Got::end;
    }
    if (byte[0] == '\n') {
      return Got::part;
    }
    line_ += static_cast<char>(byte[0]);
    // Between two pictures a stream of its own may begin.
    const bool sensible =
        may_begin_with(line_, kY4mMagic) || (part_ == Part::frame_line && may_begin_with(line_, kY4mFrame));
    if (!sensible || line_.size() > kLongestLine) {
      return Got::part;
    }
  }
}

Result<void> PipeSource::take_line() {
  const std::string line = std::exchange(line_, {});
  if (part_ == Part::frame_line && line.size() >= kY4mFrame.size() && line.size() <= kLongestLine &&
      may_begin_with(line, kY4mFrame)) {
    part_ = Part::frame;
    return {};
  }
  if (part_ == Part::frame_line && !may_begin_with(line, kY4mMagic)) {
    return fail(EPROTO,
                "the Y4M stream has something else where a picture's FRAME line is to be; is it a whole copy, and "
                "has it one writer at a time?");
  }
  if (line.size() > kLongestLine) {
    return fail(EPROTO, fmt::format("the Y4M stream's header is longer than {} bytes", kLongestLine));
  }
  const auto header = parse_y4m_header(line);
  if (!header) {
    return tl::unexpected(header.error());
  }
  expect(*header);
  part_ = Part::frame_line;
  return {};
}

Result<PipeSource::Got> PipeSource::read_frame() {
  if (!picture_) {
    picture_ = pool_->take();
  }
  while (filled_ < bytes_) {
    const auto got = pipe_->read({picture_->buf[0]->data + filled_, bytes_ - filled_});
    if (!got) {
      return tl::unexpected(got.error());
    }
    if (*got == 0) {
      return Got::end;
    }
    filled_ += *got;
  }
  return Got::part;
}

Result<void> PipeSource::ended() {
  const bool within = !line_.empty() || filled_ > 0 || (y4m_ && part_ == Part::frame);
  if (within) {
    log_(LogLevel::warning, fmt::format("{}: its end cut a picture off, which is left out", name_));
  }
  start_anew();
  if (pipe_->another_may_come()) {
    return {};
  }
  return fail(ENODATA, fmt::format("{}: there are no more pictures", name_));
}

Result<void> PipeSource::skip_writer() {
  constexpr std::size_t kAtOnce = 16384;
  std::array<std::uint8_t, kAtOnce> scratch{};
  for (;;) {
    const auto got = pipe_->read(scratch);
    if (!got) {
      return tl::unexpected(got.error());
    }
    if (*got == 0) {
      return {};
    }
  }
}

}  // namespace dmmap::camera
