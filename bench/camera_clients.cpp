#include "bench/camera_clients.h"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <functional>
#include <optional>
#include <string>

#include "bench/must.h"

namespace dmmap::bench {

namespace {

constexpr unsigned kBuffers = 4;
constexpr std::int64_t kSecond = 1'000'000'000;

// What a picture begins with; its last bytes are the tick once more.
struct Stamp {
  std::int64_t made = 0;
  std::uint64_t tick = 0;
};

std::optional<std::uint64_t> tick_of(std::span<const std::byte> picture, Stamp& stamp) {
  std::uint64_t last = 0;
  std::memcpy(&stamp, picture.data(), sizeof stamp);
  std::memcpy(&last, picture.last(sizeof last).data(), sizeof last);
  return stamp.tick == last ? std::optional(last) : std::nullopt;
}

void put(std::span<std::byte> picture, const Stamp& stamp) {
  std::memcpy(picture.data(), &stamp, sizeof stamp);
  std::memcpy(picture.last(sizeof stamp.tick).data(), &stamp.tick, sizeof stamp.tick);
}

// Again when a signal came.
bool ioctl_of(int fd, unsigned long command, void* value) {
  int result = 0;
  do {
    result = ::ioctl(fd, command, value);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

// An open device with mapped buffers, of one direction.
class Video {
 public:
  Video(const std::filesystem::path& path, std::uint32_t type, std::uint32_t format, FrameSize size)
      : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)), type_(type) {
    must(fd_ >= 0, path.string());
    v4l2_format wanted{};
    wanted.type = type;
    wanted.fmt.pix.width = size.width;
    wanted.fmt.pix.height = size.height;
    wanted.fmt.pix.pixelformat = format;
    must(ioctl_of(fd_, VIDIOC_S_FMT, &wanted) && wanted.fmt.pix.width == size.width &&
             wanted.fmt.pix.height == size.height && wanted.fmt.pix.pixelformat == format,
         "VIDIOC_S_FMT");
    v4l2_requestbuffers request{};
    request.count = kBuffers;
    request.type = type;
    request.memory = V4L2_MEMORY_MMAP;
    must(ioctl_of(fd_, VIDIOC_REQBUFS, &request) && request.count == kBuffers, "VIDIOC_REQBUFS");
    for (unsigned index = 0; index < kBuffers; ++index) {
      v4l2_buffer buffer = named(index);
      must(ioctl_of(fd_, VIDIOC_QUERYBUF, &buffer), "VIDIOC_QUERYBUF");
      void* const base = ::mmap(nullptr, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                                static_cast<off_t>(buffer.m.offset));
      must(base != MAP_FAILED, "mmap of a buffer");
      buffers_.emplace_back(static_cast<std::byte*>(base), buffer.length);
    }
  }
  void queue(unsigned index, std::size_t bytes) {
    v4l2_buffer buffer = named(index);
    buffer.bytesused = static_cast<std::uint32_t>(bytes);
    must(ioctl_of(fd_, VIDIOC_QBUF, &buffer), "VIDIOC_QBUF");
  }
  v4l2_buffer dequeue() {
    v4l2_buffer buffer = named(0);
    must(ioctl_of(fd_, VIDIOC_DQBUF, &buffer), "VIDIOC_DQBUF");
    return buffer;
  }
  void wait() const {
    pollfd wanted{fd_, POLLIN, 0};
    ::poll(&wanted, 1, -1);
  }
  void start() { must(ioctl_of(fd_, VIDIOC_STREAMON, &type_), "VIDIOC_STREAMON"); }
  [[nodiscard]] std::span<std::byte> bytes(unsigned index) const { return buffers_[index]; }

 private:
  [[nodiscard]] v4l2_buffer named(unsigned index) const {
    v4l2_buffer buffer{};
    buffer.index = index;
    buffer.type = type_;
    buffer.memory = V4L2_MEMORY_MMAP;
    return buffer;
  }
  int fd_;
  std::uint32_t type_;
  std::vector<std::span<std::byte>> buffers_;
};

void sleep_until(std::int64_t time) {
  const timespec wanted{time / kSecond, time % kSecond};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wanted, nullptr) == EINTR) {
  }
}

// Has `give` give away pictures from the moment that all are ready, at `rate` or one after the other. A tick that has
// passed when the one before it is done is left out, and its number with it.
void produce(FlowState& state, double rate, const std::function<void(std::uint64_t)>& give) {
  ++state.ready;
  while (state.begin == 0) {
    sleep_until(nanoseconds_now() + kSecond / 1000);
  }
  const std::int64_t start = nanoseconds_now();
  const std::int64_t period = rate > 0 ? static_cast<std::int64_t>(static_cast<double>(kSecond) / rate) : 0;
  for (std::uint64_t tick = 0; nanoseconds_now() < state.end;) {
    if (period > 0) {
      const std::int64_t passed = (nanoseconds_now() - start) / period;
      tick = std::max(tick, static_cast<std::uint64_t>(passed));
      sleep_until(start + static_cast<std::int64_t>(tick) * period);
    }
    give(tick++);
    const std::int64_t now = nanoseconds_now();
    state.made += now >= state.begin && now < state.end ? 1U : 0U;
  }
}

// Counts what one consumer gets.
class Counter {
 public:
  Counter(FlowState& state, Seen& seen) : state_(state), seen_(seen) {}
  /// Got now, made then; `number` counts what was due, `sequence` what there would have been, had there been room.
  void got(std::int64_t made, std::uint64_t number, std::uint64_t sequence) {
    const std::int64_t now = nanoseconds_now();
    if (state_.begin != 0 && now >= state_.begin && now < state_.end) {
      const std::uint64_t count = seen_.pictures++;
      if (count < kMostSamples) {
        seen_.latencies[count] = static_cast<float>(now - made) / 1000;  // NOLINT(*-constant-array-index)
      }
      seen_.lost += any_ ? number - number_ - 1 : 0;
      seen_.no_room += any_ ? sequence - sequence_ - 1 : 0;
    }
    any_ = true;
    number_ = number;
    sequence_ = sequence;
  }
  void torn() { ++seen_.torn; }

 private:
  FlowState& state_;
  Seen& seen_;
  bool any_ = false;
  std::uint64_t number_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace

std::int64_t nanoseconds_now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

void produce_by_camera(FlowState& state, const Frames& frames, const FlowWish& wish) {
  Video video(wish.device, V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_PIX_FMT_YUYV, frames.size());
  video.start();
  unsigned fresh = 0;  // buffers that were queued the first time
  produce(state, wish.rate, [&](std::uint64_t tick) {
    const Stamp stamp{nanoseconds_now(), tick};
    const unsigned index = fresh < kBuffers ? fresh++ : video.dequeue().index;
    const auto picture = frames.of(tick);
    const auto buffer = video.bytes(index).first(picture.size());
    std::memcpy(buffer.data(), picture.data(), picture.size());
    put(buffer, stamp);
    video.queue(index, picture.size());
  });
}

void produce_by_pipes(FlowState& state, const Frames& frames, const FlowWish& wish, const std::vector<int>& pipes) {
  produce(state, wish.rate, [&](std::uint64_t tick) {
    const auto picture = frames.of(tick);
    put(picture, {nanoseconds_now(), tick});
    for (const int pipe : pipes) {
      for (std::size_t done = 0; done < picture.size();) {
        const ssize_t part =
            ::write(pipe, picture.data() + done, picture.size() - done);  // NOLINT(*-pointer-arithmetic)
        must(part >= 0 || errno == EINTR, "write to a pipe");
        done += part > 0 ? static_cast<std::size_t>(part) : 0;
      }
    }
  });
}

void consume_by_camera(FlowState& state, Seen& seen, const FlowWish& wish, FrameSize size) {
  const bool converted = wish.format != 0;
  Video video(wish.device, V4L2_BUF_TYPE_VIDEO_CAPTURE, converted ? wish.format : std::uint32_t{V4L2_PIX_FMT_YUYV},
              converted ? wish.captured : size);
  for (unsigned index = 0; index < kBuffers; ++index) {
    video.queue(index, 0);
  }
  video.start();
  ++state.ready;
  Counter counter(state, seen);
  for (;;) {
    if (wish.polls) {
      video.wait();
    }
    const v4l2_buffer buffer = video.dequeue();
    if (converted) {  // its stamp is no more; the server's is
      counter.got(buffer.timestamp.tv_sec * kSecond + buffer.timestamp.tv_usec * 1000, buffer.sequence,
                  buffer.sequence);
    } else {
      Stamp stamp;
      if (const auto tick = tick_of(video.bytes(buffer.index).first(size.bytes()), stamp)) {
        counter.got(stamp.made, *tick, buffer.sequence);
      } else {
        counter.torn();
      }
    }
    video.queue(buffer.index, 0);
  }
}

void consume_by_pipe(FlowState& state, Seen& seen, const FlowWish& /*wish*/, FrameSize size, int pipe) {
  std::vector<std::byte> picture(size.bytes());
  ++state.ready;
  Counter counter(state, seen);
  for (std::uint64_t count = 0;; ++count) {
    for (std::size_t done = 0; done < picture.size();) {
      const ssize_t part = ::read(pipe, picture.data() + done, picture.size() - done);  // NOLINT(*-pointer-arithmetic)
      must(part >= 0 || errno == EINTR, "read from a pipe");
      if (part == 0) {
        return;
      }
      done += part > 0 ? static_cast<std::size_t>(part) : 0;
    }
    Stamp stamp;
    if (const auto tick = tick_of(picture, stamp)) {
      counter.got(stamp.made, *tick, count);
    } else {
      counter.torn();
    }
  }
}

}  // namespace dmmap::bench
