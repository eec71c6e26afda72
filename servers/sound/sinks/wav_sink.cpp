#include "servers/sound/sinks/wav_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sndfile.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "servers/sound/audio/wav_channels.h"

namespace dmmap::sound {

namespace {

// RIFF counts bytes in 32 bits; the header takes less than a page.
constexpr std::uint64_t kMostBytes = (std::uint64_t{1} << 32) - 4096;

// Each sample as `narrow` makes it of what is heard.
template <class Sample, class Narrow>
void put_in_order(std::span<const float> samples, unsigned channels, std::vector<Sample>& out, const Narrow& narrow) {
  const auto from = wav_order(channels);
  out.clear();
  out.reserve(samples.size());
  for (std::size_t frame = 0; frame + channels <= samples.size(); frame += channels) {
    for (const unsigned place : from) {
      out.push_back(narrow(samples[frame + place]));
    }
  }
}

}  // namespace

void WavSink::Close::operator()(sf_private_tag* file) const {
  sf_close(file);
}

Result<std::unique_ptr<WavSink>> WavSink::create(std::string file) {
  for (;;) {
    const auto opened = open_and_lock(file);
    if (!opened) {
      return tl::unexpected(opened.error());
    }
    if (*opened) {
      return std::unique_ptr<WavSink>(new WavSink(std::move(file), **opened));
    }
  }
}

// Not emptied yet: it may be what another process is recording, and this one may come to nothing.
Result<std::optional<WavSink::Opened>> WavSink::open_and_lock(const std::string& file) {
  Opened opened;
  opened.made = ::access(file.c_str(), F_OK) != 0;
  opened.fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (opened.fd < 0) {
    const int code = errno;
    return fail_errno(code, fmt::format("can't write the sink's file {}", file));
  }
  struct stat status {};
  opened.regular = ::fstat(opened.fd, &status) == 0 && S_ISREG(status.st_mode);
  if (!opened.regular) {
    return std::optional(opened);  // any number may write to /dev/null
  }
  // A file system that has no locks gives another error, and records all the same.
  if (::flock(opened.fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(opened.fd);
    return fail(EBUSY,
                fmt::format("another process is recording into {}: name another file, or end that one first", file));
  }
  // Whoever had the lock until now may have made the file and removed it again.
  if (::fstat(opened.fd, &status) == 0 && status.st_nlink == 0) {
    ::close(opened.fd);
    return std::optional<Opened>();
  }
  return std::optional(opened);
}

WavSink::~WavSink() {
  if (begun_) {
    complete();
  } else {
    remove_if_made();
  }
  file_.reset();
  ::close(fd_);
}

void WavSink::complete() {
  if (!file_ && !broken_) {
    static_cast<void>(start({}));  // so that a silent day leaves a file that can be opened, too
  }
  if (file_ && !broken_) {
    update_header();
  }
}

void WavSink::remove_if_made() const {
  struct stat status {};
  if (!made_ || ::fstat(fd_, &status) != 0 || status.st_size != 0) {
    return;
  }
  // Not by name_, which may be a symbolic link to a file that wasn't there.
  std::error_code failed;
  const auto path = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd_), failed);
  if (!failed) {
    std::filesystem::remove(path, failed);
  }
}

Result<void> WavSink::begin() {
  begun_ = true;
  if (regular_ && ::ftruncate(fd_, 0) != 0) {
    const int code = errno;
    broken_ = true;
    return fail_errno(code, fmt::format("can't empty the sink's file {}", name_));
  }
  return {};
}

Result<void> WavSink::start(const SinkFormat& format) {
  if (broken_) {
    return {};
  }
  format_ = format;
  SF_INFO info{};
  info.samplerate = static_cast<int>(format.rate);
  info.channels = static_cast<int>(format.channels);
  // More than two channels, or 16 bits, need the extended header (Microsoft, WAVEFORMATEXTENSIBLE).
  const int kind = format.channels > 2 || format.bits > 16 ? SF_FORMAT_WAVEX : SF_FORMAT_WAV;
  info.format = kind | (format.bits > 16 ? SF_FORMAT_PCM_24 : SF_FORMAT_PCM_16);
  file_.reset(sf_open_fd(fd_, SFM_WRITE, &info, SF_FALSE));
  if (!file_) {
    return tl::unexpected(broken(sf_strerror(nullptr)));
  }
  return {};
}

Result<void> WavSink::write(std::span<const float> samples) {
  if (broken_ || samples.empty()) {
    return {};
  }
  const std::uint64_t bytes = samples.size() * sample_bytes();
  if (bytes_ + bytes > kMostBytes) {
    return tl::unexpected(broken("a WAV file can't be longer than 4 GiB"));
  }
  errno = 0;
  const auto frames = static_cast<sf_count_t>(samples.size() / format_.channels);
  sf_count_t written = 0;
  if (format_.bits > 16) {
    put_in_order(samples, format_.channels, wide_, [](float sample) { return to_s24(sample) * 256; });
    written = sf_writef_int(file_.get(), wide_.data(), frames);
  } else {
    put_in_order(samples, format_.channels, narrow_, to_s16);
    written = sf_writef_short(file_.get(), narrow_.data(), frames);
  }
  bytes_ += static_cast<std::uint64_t>(std::max<sf_count_t>(written, 0)) * format_.channels * sample_bytes();
  if (written != frames) {
    const int code = errno;
    return tl::unexpected(broken(code != 0 ? std::strerror(code) : sf_strerror(file_.get())));
  }
  // A quarter of a second.
  if (bytes_ - bytes_in_header_ >= std::uint64_t{format_.rate} * format_.channels * sample_bytes() / 4) {
    update_header();
  }
  return {};
}

Result<void> WavSink::sync() {
  if (!file_ || broken_) {
    return {};
  }
  update_header();
  if (::fsync(fd_) != 0 && errno != EINVAL) {  // EINVAL: a special file, which has nothing to sync
    const int code = errno;
    return fail_errno(code, fmt::format("can't sync {}", name_));
  }
  return {};
}

Error WavSink::broken(const std::string& why) {
  if (file_) {
    update_header();
  }
  broken_ = true;
  return {EIO, fmt::format("{}: {}; it has what was played so far, and the rest isn't recorded. Make room and start "
                           "again, into another file",
                           name_, why)};
}

void WavSink::update_header() {
  sf_command(file_.get(), SFC_UPDATE_HEADER_NOW, nullptr, 0);
  bytes_in_header_ = bytes_;
}

}  // namespace dmmap::sound
