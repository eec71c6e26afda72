#include "servers/sound/sources/wav_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sndfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "servers/sound/audio/format.h"
#include "servers/sound/audio/wav_channels.h"

namespace dmmap::sound {

namespace {

struct Close {
  int fd = -1;
  void operator()(SNDFILE* file) const {
    sf_close(file);
    ::close(fd);
  }
};
using File = std::unique_ptr<SNDFILE, Close>;

struct Opened {
  File file;
  SF_INFO info{};
};

Result<Opened> open(const std::string& name) {
  // By a descriptor: libsndfile's own way to open says only "System error".
  const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail_errno(errno, fmt::format("can't read the source's file {}", name));
  }
  Opened opened;
  opened.file = File(sf_open_fd(fd, SFM_READ, &opened.info, SF_FALSE), Close{fd});
  if (!opened.file) {
    ::close(fd);
    return fail(EINVAL, fmt::format("{} isn't a sound file that can be read ({}): name a WAV, FLAC, Ogg or the like",
                                    name, sf_strerror(nullptr)));
  }
  const auto channels = static_cast<unsigned>(opened.info.channels);
  const auto rate = static_cast<unsigned>(opened.info.samplerate);
  if (opened.info.channels < 1 || channels > kMostChannels || opened.info.samplerate < 1 || rate > 4 * kHighestRate) {
    return fail(EINVAL, fmt::format("{} has {} channels and {} Hz; convert it to 1 to {} channels and at most {} Hz",
                                    name, opened.info.channels, opened.info.samplerate, kMostChannels, kHighestRate));
  }
  return opened;
}

class WavRecording final : public Recording {
 public:
  WavRecording(Opened opened, std::string name, LogSink log)
      : opened_(std::move(opened)), name_(std::move(name)), log_(std::move(log)), left_(opened_.info.frames) {}

  [[nodiscard]] SourceFormat format() const override {
    return {static_cast<unsigned>(opened_.info.samplerate), channels()};
  }

  void read(std::span<float> samples) override {
    const auto frames = std::min(static_cast<sf_count_t>(samples.size() / channels()), left_);
    in_order_of_file_.resize(static_cast<std::size_t>(frames) * channels());
    const sf_count_t got = frames > 0 ? sf_readf_float(opened_.file.get(), in_order_of_file_.data(), frames) : 0;
    left_ -= got;
    if (got < frames) {
      log_(LogLevel::warning,
           fmt::format("{} has become shorter than it was; what is missing is recorded as silence", name_));
      left_ = 0;
    }
    const auto order = wav_order(channels());
    const std::size_t there = static_cast<std::size_t>(got) * channels();
    for (std::size_t frame = 0; frame < there; frame += channels()) {
      for (std::size_t i = 0; i < order.size(); ++i) {
        samples[frame + order[i]] = in_order_of_file_[frame + i];
      }
    }
    std::fill(samples.begin() + static_cast<std::ptrdiff_t>(there), samples.end(), 0.0F);
  }

 private:
  [[nodiscard]] unsigned channels() const { return static_cast<unsigned>(opened_.info.channels); }

  Opened opened_;
  std::string name_;
  LogSink log_;
  sf_count_t left_;  // frames
  std::vector<float> in_order_of_file_;
};

}  // namespace

Result<std::unique_ptr<WavSource>> WavSource::create(std::string file, LogSink log) {
  if (const auto opened = open(file); !opened) {
    return tl::unexpected(opened.error());
  }
  return std::unique_ptr<WavSource>(new WavSource(std::move(file), std::move(log)));
}

Result<std::unique_ptr<Recording>> WavSource::begin(const SourceFormat& /*wanted*/) {
  auto opened = open(file_);
  if (!opened) {
    log_(LogLevel::error, opened.error().message);
    return tl::unexpected(opened.error());
  }
  return std::make_unique<WavRecording>(std::move(*opened), file_, log_);
}

}  // namespace dmmap::sound
