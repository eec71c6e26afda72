// VideoClient: a program that captures from a video device by V4L2's calls, or puts pictures into it, for what no
// program of Debian's does.
//
// Promises: no call waits for longer than a test does, unless it's one of dequeue() or read() without O_NONBLOCK.
// Thread safety: one thread at a time.
#pragma once

#include <fcntl.h>
#include <linux/videodev2.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "programs/pictures.h"
#include "servers/camera/sources/frame_mark.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {

class VideoClient {
 public:
  /// A test failure when it can't be opened.
  explicit VideoClient(const std::filesystem::path& video, int flags = O_RDWR);
  VideoClient(const VideoClient&) = delete;
  VideoClient& operator=(const VideoClient&) = delete;
  ~VideoClient();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// ioctl(2): 0, or an errno value.
  [[nodiscard]] int ask(unsigned long command, void* argument) const;
  template <class T>
  [[nodiscard]] int ask(unsigned long command, T& argument) const {
    return ask(command, static_cast<void*>(&argument));
  }

  // All that return an int: 0, or an errno value.
  /// What the device made of it is format() then.
  int set_format(const std::string& format, Size size, std::uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE);
  [[nodiscard]] const v4l2_pix_format& format() const { return format_; }
  [[nodiscard]] Size size() const { return {format_.width, format_.height}; }
  /// REQBUFS, and all of them mapped. `count` is what there is then.
  int request(unsigned count, std::uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE);
  [[nodiscard]] unsigned count() const { return static_cast<unsigned>(maps_.size()); }
  int query(unsigned index, v4l2_buffer& buffer) const;
  [[nodiscard]] int queue(unsigned index, std::size_t bytes = 0) const;
  /// Waits, unless the file is O_NONBLOCK.
  int dequeue(v4l2_buffer& buffer) const;
  [[nodiscard]] int stream_on() const;
  [[nodiscard]] int stream_off() const;
  /// `count` buffers, all of them queued, and the device streams.
  int begin(unsigned count);
  /// Unmaps all.
  void forget();

  /// The memory of a buffer.
  [[nodiscard]] std::uint8_t* memory(unsigned index) const { return maps_[index].bytes; }
  [[nodiscard]] std::string picture(const v4l2_buffer& buffer) const;

  /// What poll(2) says within that time.
  [[nodiscard]] short poll(std::chrono::milliseconds patience) const;

  /// A picture, as it was when it was taken.
  struct Shown {
    camera::FrameMarks marks;  ///< of a format that has luma
    std::uint32_t sequence = 0;
    std::uint32_t bytes = 0;
    bool broken = false;
  };
  /// The next, whose buffer is queued again. Nothing when there's none within that time.
  std::optional<Shown> capture(std::chrono::milliseconds patience = std::chrono::seconds(20)) const;

 private:
  struct Map {
    std::uint8_t* bytes = nullptr;
    std::size_t length = 0;
  };
  UniqueFd fd_;
  std::uint32_t type_ = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  v4l2_pix_format format_{};
  std::vector<Map> maps_;
};

/// Pictures as they come, one of whom each is later than the last.
class InOrder {
 public:
  /// A test failure unless it's there, whole, and no picture is missing that isn't by its sequence, too, but for those
  /// that the source left out. Whether all is well.
  bool next(const std::optional<VideoClient::Shown>& shown);
  /// How many those are.
  [[nodiscard]] unsigned left_out() const { return left_out_; }

 private:
  std::optional<VideoClient::Shown> last_;
  unsigned left_out_ = 0;
};

/// A DQBUF that waits, in a thread of its own.
class WaitingDequeue {
 public:
  explicit WaitingDequeue(const VideoClient& client, std::uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE);
  WaitingDequeue(const WaitingDequeue&) = delete;
  WaitingDequeue& operator=(const WaitingDequeue&) = delete;
  /// A test failure when it waits on although it got a signal; it's left alone then.
  ~WaitingDequeue();
  /// What it returned, 0 or an errno value, if it did within that time.
  [[nodiscard]] std::optional<int> ended(std::chrono::milliseconds patience) const;
  /// Sends the thread a signal that has a handler.
  void interrupt();

 private:
  std::shared_future<int> result_;
  std::thread thread_;
};

/// Bytes between a pixel's luma and the next one's.
[[nodiscard]] std::size_t luma_step(std::uint32_t fourcc);

}  // namespace dmmap::testing
