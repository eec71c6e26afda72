#include "programs/video_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace dmmap::testing {

std::size_t luma_step(std::uint32_t fourcc) {
  switch (fourcc) {
    case V4L2_PIX_FMT_YUYV:
      return 2;
    case V4L2_PIX_FMT_RGB24:
    case V4L2_PIX_FMT_BGR24:
      return 3;
    default:
      return 1;
  }
}

VideoClient::VideoClient(const std::filesystem::path& video, int flags)
    : fd_(::open(video.c_str(), flags | O_CLOEXEC)) {
  EXPECT_TRUE(fd_) << video << ": " << std::strerror(errno);
  v4l2_format now{};
  now.type = type_;
  if (ask(VIDIOC_G_FMT, now) == 0) {
    format_ = now.fmt.pix;
  }
}

VideoClient::~VideoClient() {
  forget();
}

int VideoClient::ask(unsigned long command, void* argument) const {
  return ::ioctl(fd_.get(), command, argument) == 0 ? 0 : errno;
}

int VideoClient::set_format(const std::string& format, Size size, std::uint32_t type) {
  v4l2_format wanted{};
  wanted.type = type;
  wanted.fmt.pix.width = size.width;
  wanted.fmt.pix.height = size.height;
  wanted.fmt.pix.pixelformat = format_of(format).fourcc;
  const int code = ask(VIDIOC_S_FMT, wanted);
  if (code == 0) {
    format_ = wanted.fmt.pix;
  }
  return code;
}

int VideoClient::request(unsigned count, std::uint32_t type) {
  forget();
  type_ = type;
  v4l2_requestbuffers wanted{};
  wanted.count = count;
  wanted.type = type;
  wanted.memory = V4L2_MEMORY_MMAP;
  if (const int code = ask(VIDIOC_REQBUFS, wanted); code != 0) {
    return code;
  }
  for (unsigned i = 0; i < wanted.count; ++i) {
    v4l2_buffer buffer{};
    if (const int code = query(i, buffer); code != 0) {
      return code;
    }
    void* const memory = ::mmap(nullptr, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), buffer.m.offset);
    if (memory == MAP_FAILED) {
      return errno;
    }
    maps_.push_back({static_cast<std::uint8_t*>(memory), buffer.length});
  }
  return 0;
}

int VideoClient::query(unsigned index, v4l2_buffer& buffer) const {
  buffer = {};
  buffer.index = index;
  buffer.type = type_;
  buffer.memory = V4L2_MEMORY_MMAP;
  return ask(VIDIOC_QUERYBUF, buffer);
}

int VideoClient::queue(unsigned index, std::size_t bytes) const {
  v4l2_buffer buffer{};
  buffer.index = index;
  buffer.type = type_;
  buffer.memory = V4L2_MEMORY_MMAP;
  buffer.bytesused = static_cast<std::uint32_t>(bytes);
  return ask(VIDIOC_QBUF, buffer);
}

int VideoClient::dequeue(v4l2_buffer& buffer) const {
  buffer = {};
  buffer.type = type_;
  buffer.memory = V4L2_MEMORY_MMAP;
  return ask(VIDIOC_DQBUF, buffer);
}

int VideoClient::stream_on() const {
  std::uint32_t type = type_;
  return ask(VIDIOC_STREAMON, type);
}

int VideoClient::stream_off() const {
  std::uint32_t type = type_;
  return ask(VIDIOC_STREAMOFF, type);
}

int VideoClient::begin(unsigned count) {
  if (const int code = request(count); code != 0) {
    return code;
  }
  for (unsigned i = 0; i < maps_.size(); ++i) {
    if (const int code = queue(i); code != 0) {
      return code;
    }
  }
  return stream_on();
}

void VideoClient::forget() {
  for (const Map& each : maps_) {
    ::munmap(each.bytes, each.length);
  }
  maps_.clear();
}

std::string VideoClient::picture(const v4l2_buffer& buffer) const {
  const Map& map = maps_.at(buffer.index);
  return {static_cast<const char*>(static_cast<const void*>(map.bytes)),
          std::min<std::size_t>(buffer.bytesused, map.length)};
}

short VideoClient::poll(std::chrono::milliseconds patience) const {
  pollfd events{fd_.get(), POLLIN | POLLOUT | POLLPRI, 0};
  return ::poll(&events, 1, static_cast<int>(patience.count())) == 1 ? events.revents : short{0};
}

std::optional<VideoClient::Shown> VideoClient::capture(std::chrono::milliseconds patience) const {
  v4l2_buffer buffer{};
  if ((poll(patience) & POLLIN) == 0 || dequeue(buffer) != 0) {
    return std::nullopt;
  }
  Shown shown{.marks = {},
              .sequence = buffer.sequence,
              .bytes = buffer.bytesused,
              .broken = (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0};
  const std::size_t step = luma_step(format_.pixelformat);
  if (format_.pixelformat != V4L2_PIX_FMT_MJPEG && format_.pixelformat != V4L2_PIX_FMT_UYVY) {
    shown.marks = camera::read_frame_marks(memory(buffer.index), static_cast<std::ptrdiff_t>(format_.bytesperline),
                                           size(), static_cast<std::ptrdiff_t>(step));
  }
  return queue(buffer.index) == 0 ? std::optional(shown) : std::nullopt;
}

bool InOrder::next(const std::optional<VideoClient::Shown>& shown) {
  if (!shown || !shown->marks.whole()) {
    ADD_FAILURE() << (!shown ? "there's no picture" : shown->marks.torn() ? "torn" : "without a number");
    return false;
  }
  if (last_) {
    const std::uint32_t by_sequence = shown->sequence - last_->sequence;
    const std::uint32_t by_number = *shown->marks.whole() - *last_->marks.whole();
    if (shown->sequence <= last_->sequence || by_number < by_sequence || by_number > INT32_MAX) {
      ADD_FAILURE() << "picture " << *shown->marks.whole() << " of sequence " << shown->sequence << " after picture "
                    << *last_->marks.whole() << " of sequence " << last_->sequence;
      return false;
    }
    left_out_ += by_number - by_sequence;
  }
  last_ = shown;
  return true;
}

WaitingDequeue::WaitingDequeue(const VideoClient& client, std::uint32_t type) {
  struct sigaction action {};
  action.sa_handler = [](int) {};  // without SA_RESTART
  ::sigaction(SIGUSR1, &action, nullptr);
  std::promise<int> promise;
  result_ = promise.get_future().share();
  thread_ = std::thread([fd = client.fd(), type, promise = std::move(promise)]() mutable {
    v4l2_buffer buffer{};
    buffer.type = type;
    buffer.memory = V4L2_MEMORY_MMAP;
    promise.set_value(::ioctl(fd, VIDIOC_DQBUF, &buffer) == 0 ? 0 : errno);
  });
}

WaitingDequeue::~WaitingDequeue() {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries && !ended(std::chrono::milliseconds(50)); ++i) {
    interrupt();
  }
  if (ended({})) {
    thread_.join();
  } else {
    ADD_FAILURE() << "DQBUF hangs";
    thread_.detach();
  }
}

std::optional<int> WaitingDequeue::ended(std::chrono::milliseconds patience) const {
  return result_.wait_for(patience) == std::future_status::ready ? std::optional(result_.get()) : std::nullopt;
}

void WaitingDequeue::interrupt() {
  ::pthread_kill(thread_.native_handle(), SIGUSR1);
}

}  // namespace dmmap::testing
