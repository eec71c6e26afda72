// Pictures as bytes, and who writes them to a FIFO. They're small, so that a FIFO holds several.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "servers/camera/picture/av.h"
#include "servers/camera/sources/source.h"

extern "C" {
#include <libavutil/imgutils.h>
}

namespace dmmap::camera {

inline constexpr Size kSize{32, 24};
inline constexpr std::size_t kYuyv = std::size_t{32} * 24 * 2;
inline constexpr std::size_t k420 = std::size_t{32} * 24 * 3 / 2;
inline constexpr std::string_view kHeader = "YUV4MPEG2 W32 H24 F1000:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n";

// `bytes` that are never the same for two pictures.
inline std::string picture(std::size_t bytes, unsigned number) {
  std::string made(bytes, '\0');
  unsigned state = number * 2654435761U + 1;
  for (char& each : made) {
    state = state * 1664525U + 1013904223U;
    each = static_cast<char>(state >> 24U);
  }
  return made;
}

inline std::string y4m_frame(unsigned number, std::size_t bytes = k420) {
  return "FRAME\n" + picture(bytes, number);
}

// All bytes of the shot's picture, line by line.
inline std::string bytes_of(const Shot& shot) {
  const AVFrame& from = *shot.picture;
  const auto format = static_cast<AVPixelFormat>(from.format);
  std::string to(static_cast<std::size_t>(av_image_get_buffer_size(format, from.width, from.height, 1)), '\0');
  av_image_copy_to_buffer(reinterpret_cast<std::uint8_t*>(to.data()), static_cast<int>(to.size()), from.data,
                          from.linesize, format, from.width, from.height, 1);
  return to;
}

class Writer {
 public:
  explicit Writer(const std::string& fifo) : fd_(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK)) {
    EXPECT_GE(fd_, 0) << "a FIFO without a reader";
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { ::close(fd_); }
  void write(std::string_view bytes) const {
    EXPECT_EQ(::write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

 private:
  int fd_;
};

}  // namespace dmmap::camera
