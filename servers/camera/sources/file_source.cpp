#include "servers/camera/sources/file_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace dmmap::camera {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// That a film may be late, until it goes on from there instead of hurrying after.
constexpr milliseconds kMostLate{250};

// The nearest within the limits, with the same aspect where there is one.
Size within_limits(Size size) {
  const double most = kMostSide;
  const double least = kLeastSide;
  const double down = std::min(most / std::max(size.width, size.height), 1.0);
  const double up = std::max(least / std::min(size.width, size.height), 1.0);
  const auto side = [&](unsigned length) {
    return std::clamp(static_cast<unsigned>(length * down * up), kLeastSide, kMostSide);
  };
  return {side(size.width), side(size.height)};
}

const PixelFormat* native_of(const AVFrame& picture, Size offered) {
  // V4L2's YUV goes from 16 to 235.
  const AVPixFmtDescriptor* const described = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(picture.format));
  const bool rgb = described != nullptr && (described->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  if (size_of(picture) != offered || (picture.color_range == AVCOL_RANGE_JPEG && !rgb)) {
    return nullptr;
  }
  for (const PixelFormat& each : pixel_formats()) {
    if (!each.compressed() && each.av == picture.format) {
      return fitting(each, offered) == offered ? &each : nullptr;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::create(std::string path, const SourceWish& wish, LogSink log) {
  std::unique_ptr<FileSource> source(new FileSource(std::move(path), std::move(log)));
  if (const auto seen = source->look(wish); !seen) {
    return tl::unexpected(seen.error());
  }
  return source;
}

Result<void> FileSource::look(const SourceWish& wish) {
  const auto file = VideoFile::open(path_, pause_);
  if (!file) {
    return tl::unexpected(file.error());
  }
  const auto first = (*file)->next();
  if (!first) {
    return tl::unexpected(first.error());
  }
  if (!*first) {
    return fail(EPROTO,
                fmt::format("nothing in {} can be decoded; it's broken or cut off: name another file, or a whole "
                            "copy of it",
                            path_));
  }
  const auto second = (*file)->next();
  still_ = second && !*second;
  by_tick_ = still_ || wish.rate.has_value();
  const AVFrame& picture = *(*first)->picture;
  about_.size = wish.size.value_or(within_limits(size_of(picture)));
  about_.rate = wish.rate.value_or(still_ ? Rate() : (*file)->rate());
  about_.native = native_of(picture, about_.size);
  return {};
}

void FileSource::begin() {
  end();
  pause_.reset();
  ticker_.begin(about_.rate);
}

void FileSource::end() {
  close();
  round_ = 0;
  start_ = nanoseconds(0);
  end_ = nanoseconds(0);
  began_.reset();
  number_ = 0;
  shown_.reset();
  ahead_.reset();
}

void FileSource::interrupt() {
  pause_.interrupt();
  ticker_.interrupt();
}

Result<Shot> FileSource::next() {
  return by_tick_ ? next_by_tick() : next_by_time();
}

Result<Shot> FileSource::next_by_time() {
  for (;;) {
    auto decoded = decode();
    if (!decoded) {
      return tl::unexpected(decoded.error());
    }
    const Time now = Clock::now();
    began_ = began_.value_or(now - decoded->at);
    Time due = *began_ + decoded->at;
    const nanoseconds late = now - (due + decoded->duration);
    if (late > kMostLate) {
      *began_ += now - due;
      due = now;
      number_ += static_cast<std::uint64_t>(late / about_.rate.period());
    } else if (late > nanoseconds(0)) {
      ++number_;
      continue;
    }
    if (!pause_.wait_until(due)) {
      return fail(ECANCELED, "nobody waits for a picture any more");
    }
    return Shot{std::move(decoded->picture), due, number_++};
  }
}

Result<Shot> FileSource::next_by_tick() {
  const auto tick = ticker_.next();
  if (!tick) {
    return tl::unexpected(tick.error());
  }
  began_ = began_.value_or(tick->time);
  if (ahead_ && tick->time - *began_ - ahead_->at > kMostLate) {
    *began_ = tick->time - ahead_->at - kMostLate;
  }
  const nanoseconds wanted = tick->time - *began_;
  while (!(still_ && shown_) && (!ahead_ || ahead_->at <= wanted)) {
    if (ahead_) {
      shown_ = ahead_->picture;
    }
    auto decoded = decode();
    if (!decoded) {
      return tl::unexpected(decoded.error());
    }
    if (!shown_) {
      shown_ = decoded->picture;
    }
    ahead_ = std::move(*decoded);
  }
  if (still_) {
    close();
    ahead_.reset();
  }
  return Shot{shown_, tick->time, tick->number};
}

Result<Decoded> FileSource::decode() {
  for (;;) {
    if (!file_) {
      auto file = VideoFile::open(path_, pause_);
      if (!file) {
        return tl::unexpected(file.error());
      }
      file_ = std::move(*file);
      round_ = 0;
      start_ = end_;
    }
    auto decoded = file_->next();
    if (!decoded) {
      return tl::unexpected(decoded.error());
    }
    if (*decoded) {
      ++round_;
      (*decoded)->at += start_;
      end_ = (*decoded)->at + (*decoded)->duration;
      return std::move(**decoded);
    }
    close();
    if (round_ == 0) {
      return fail(EIO, fmt::format("nothing in {} can be decoded any more; put the whole file back there", path_));
    }
  }
}

void FileSource::close() {
  if (file_ && file_->broken()) {
    log_(LogLevel::warning,
         fmt::format("{}: some of it can't be decoded and was left out; is it a whole copy?", path_));
  }
  file_.reset();
}

}  // namespace dmmap::camera
