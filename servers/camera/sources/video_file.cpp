#include "servers/camera/sources/video_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "servers/camera/sources/rates.h"

extern "C" {
#include <libavutil/common.h>
#include <libavutil/mathematics.h>
}

namespace dmmap::camera {

namespace {

using std::chrono::nanoseconds;

constexpr AVRational kNanoseconds{1, 1'000'000'000};
constexpr std::chrono::hours kLongest{1};  // that a picture can be shown; more is a broken timestamp
constexpr unsigned kMostFailures = 1000;   // one after the other, until it's taken for the end

tl::unexpected<Error> cancelled() {
  return fail(ECANCELED, "nobody waits for a picture any more");
}

// Nothing but the file itself is opened: a playlist could name anything.
int refuse(AVFormatContext* /*input*/, AVIOContext** /*io*/, const char* /*url*/, int /*flags*/,
           AVDictionary** /*options*/) {
  return AVERROR(EACCES);
}

Rate rate_of(AVRational rate) {
  const Rate told{static_cast<unsigned>(std::max(rate.num, 0)), static_cast<unsigned>(std::max(rate.den, 0))};
  return sensible(told) ? told : Rate();
}

std::int64_t duration_of(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  return frame.duration;
#else
  return frame.pkt_duration;
#endif
}

}  // namespace

struct VideoFile::Bytes {
  int fd = -1;
  const Pause* pause = nullptr;

  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() {
    if (fd >= 0) {
      ::close(fd);
    }
  }

  static int read(void* self, std::uint8_t* to, int bytes) {
    const auto& own = *static_cast<Bytes*>(self);
    if (own.pause->interrupted()) {
      return AVERROR_EXIT;
    }
    const ssize_t got = ::read(own.fd, to, static_cast<std::size_t>(bytes));
    if (got < 0) {
      return AVERROR(errno);
    }
    return got == 0 ? AVERROR_EOF : static_cast<int>(got);
  }

  static std::int64_t seek(void* self, std::int64_t to, int whence) {
    const auto& own = *static_cast<Bytes*>(self);
    if ((whence & AVSEEK_SIZE) != 0) {
      struct stat status {};
      return ::fstat(own.fd, &status) == 0 ? status.st_size : AVERROR(errno);
    }
    const off_t at = ::lseek(own.fd, to, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
  }

  static int interrupted(void* self) { return static_cast<Bytes*>(self)->pause->interrupted() ? 1 : 0; }
};

void VideoFile::IoFree::operator()(AVIOContext* io) const {
  av_freep(&io->buffer);
  avio_context_free(&io);
}

VideoFile::VideoFile(std::string path, const Pause& pause)
    : path_(std::move(path)), pause_(&pause), bytes_(std::make_unique<Bytes>()) {
  bytes_->pause = &pause;
}

VideoFile::~VideoFile() = default;

Result<std::unique_ptr<VideoFile>> VideoFile::open(const std::string& path, const Pause& pause) {
  std::unique_ptr<VideoFile> file(new VideoFile(path, pause));
  Result<void> done = file->open_bytes();
  if (done) {
    done = file->open_input();
  }
  if (done) {
    done = file->open_codec();
  }
  if (!done) {
    return tl::unexpected(done.error());
  }
  return file;
}

tl::unexpected<Error> VideoFile::unreadable(int error) const {
  if (pause_->interrupted()) {
    return cancelled();
  }
  return fail(EPROTO, fmt::format("{} isn't a picture or video that can be read ({}); name a PNG, a JPEG, an MP4 or "
                                  "another file that ffmpeg reads",
                                  path_, av_error(error)));
}

Result<void> VideoFile::open_bytes() {
  // So that it's opened even where it's a FIFO, which would wait, and is refused then.
  bytes_->fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (bytes_->fd < 0) {
    return fail_errno(errno, fmt::format("can't read the camera's file {}", path_));
  }
  struct stat status {};
  if (::fstat(bytes_->fd, &status) != 0) {
    return fail_errno(errno, fmt::format("can't tell what {} is", path_));
  }
  if (S_ISDIR(status.st_mode)) {
    return fail(EISDIR, fmt::format("{} is a directory; name a picture or video in it", path_));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(EINVAL, fmt::format("{} isn't a file that can be read again and again; say y4m:PATH or raw:FORMAT:PATH "
                                    "for a pipe",
                                    path_));
  }
  return {};
}

Result<void> VideoFile::open_input() {
  constexpr int kBuffer = 64 << 10;
  auto* const buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
  if (buffer == nullptr) {
    throw std::bad_alloc();
  }
  io_.reset(avio_alloc_context(buffer, kBuffer, 0, bytes_.get(), Bytes::read, nullptr, Bytes::seek));
  AVFormatContext* input = avformat_alloc_context();
  if (!io_ || input == nullptr) {
    avformat_free_context(input);
    throw std::bad_alloc();
  }
  input->pb = io_.get();
  input->io_open = refuse;
  input->interrupt_callback = {Bytes::interrupted, bytes_.get()};
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "none", 0);
  const int opened = avformat_open_input(&input, nullptr, nullptr, &options);  // frees `input` when it fails
  av_dict_free(&options);
  if (opened < 0) {
    return unreadable(opened);
  }
  input_.reset(input);
  if (const int found = avformat_find_stream_info(input, nullptr); found < 0) {
    return unreadable(found);
  }
  return {};
}

Result<void> VideoFile::open_codec() {
  const AVCodec* decoder = nullptr;
  stream_ = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
  if (stream_ == AVERROR_STREAM_NOT_FOUND && !pause_->interrupted()) {
    return fail(EPROTO, fmt::format("{} has no pictures in it; name a picture or a video", path_));
  }
  if (stream_ < 0) {
    return unreadable(stream_);
  }
  for (unsigned i = 0; i < input_->nb_streams; ++i) {
    input_->streams[i]->discard = i == static_cast<unsigned>(stream_) ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  AVStream* const stream = input_->streams[stream_];
  rate_ = rate_of(av_guess_frame_rate(input_.get(), stream, nullptr));
  codec_.reset(avcodec_alloc_context3(decoder));
  if (!codec_) {
    throw std::bad_alloc();
  }
  int done = avcodec_parameters_to_context(codec_.get(), stream->codecpar);
  if (done >= 0) {
    codec_->pkt_timebase = stream->time_base;
    codec_->thread_count = 2;
    done = avcodec_open2(codec_.get(), decoder, nullptr);
  }
  if (done < 0) {
    return unreadable(done);
  }
  return {};
}

Result<void> VideoFile::feed() {
  const AvPacket packet(av_packet_alloc());
  if (!packet) {
    throw std::bad_alloc();
  }
  const int read = av_read_frame(input_.get(), packet.get());
  if (pause_->interrupted()) {
    return cancelled();
  }
  if (read < 0) {
    if (read != AVERROR_EOF && io_->error < 0 && io_->error != AVERROR_EOF) {
      return fail(av_errno(io_->error), fmt::format("{} can't be read any more ({})", path_, av_error(io_->error)));
    }
    broken_ = broken_ || read != AVERROR_EOF;
    draining_ = true;
    avcodec_send_packet(codec_.get(), nullptr);
    return {};
  }
  if (packet->stream_index == stream_ && avcodec_send_packet(codec_.get(), packet.get()) < 0) {
    broken_ = true;
  }
  return {};
}

Decoded VideoFile::timed(AvFrame frame) {
  const AVRational base = input_->streams[stream_]->time_base;
  const std::int64_t stamp = frame->best_effort_timestamp;
  nanoseconds at = end_;
  if (stamp != AV_NOPTS_VALUE) {
    first_ = first_.value_or(stamp);
    // One that isn't later than the last, or by far too much, comes where that one ends.
    const nanoseconds told(av_rescale_q(av_sat_sub64(stamp, *first_), base, kNanoseconds));
    if (told > last_ && told - last_ < kLongest) {
      at = told;
    }
  }
  nanoseconds duration(av_rescale_q(std::max<std::int64_t>(duration_of(*frame), 0), base, kNanoseconds));
  if (duration <= nanoseconds(0) || duration > kLongest) {
    duration = rate_.period();
  }
  last_ = at;
  end_ = at + duration;
  return {Picture(std::move(frame)), at, duration};
}

Result<std::optional<Decoded>> VideoFile::next() {
  while (!pause_->interrupted()) {
    AvFrame frame(av_frame_alloc());
    if (!frame) {
      throw std::bad_alloc();
    }
    const int got = avcodec_receive_frame(codec_.get(), frame.get());
    if (got == 0 && frame->decode_error_flags == 0 && (frame->flags & AV_FRAME_FLAG_CORRUPT) == 0) {
      failures_ = 0;
      return timed(std::move(frame));
    }
    if (got == AVERROR_EOF || failures_ > kMostFailures) {
      return std::optional<Decoded>();
    }
    if (got != AVERROR(EAGAIN)) {
      broken_ = true;
      ++failures_;
    } else if (const auto fed = feed(); !fed) {
      return tl::unexpected(fed.error());
    }
  }
  return cancelled();
}

}  // namespace dmmap::camera
