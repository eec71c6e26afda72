// Pictures for cameras to show, and what programs made of them.
//
// Promises: plain functions; what is made of the same numbers is the same. Thread safety: every function, from any
// thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "servers/camera/picture/pixel_format.h"

namespace dmmap::testing {

using camera::Size;

/// The bytes of each picture.
using Pictures = std::vector<std::string>;

[[nodiscard]] const camera::PixelFormat& format_of(const std::string& name);
/// Of a picture.
[[nodiscard]] std::size_t bytes_of(const std::string& format, Size size);

/// Noise fits at one place only: no two pictures are alike, nor any two parts of them.
[[nodiscard]] Pictures noise_pictures(std::size_t count, std::size_t bytes);
/// Grey ones that a JPEG keeps, each of which says by its marks which one it is, from 0 on.
[[nodiscard]] Pictures marked_pictures(std::size_t count, Size size);

[[nodiscard]] std::string joined(const Pictures& pictures);
/// The pictures that `bytes` has, of so many bytes each; the last may be shorter.
[[nodiscard]] Pictures split(const std::string& bytes, std::size_t each);
/// YUV4MPEG2 (yuv4mpeg(5)). `colour` is as "420jpeg", `rate` as "30:1".
[[nodiscard]] std::string y4m_of(const Pictures& pictures, Size size, std::string_view colour, std::string_view rate);
/// The pictures of such a stream, as long as they're whole.
[[nodiscard]] Pictures pictures_of_y4m(const std::string& stream);
void save(const std::filesystem::path& file, const std::string& bytes);

/// The numbers that pictures' marks say; nothing for one that is torn or has none. Luma is every `step` bytes.
[[nodiscard]] std::vector<std::optional<std::uint32_t>> numbers_in(const Pictures& pictures, Size size,
                                                                   std::size_t step = 1);
/// The same of one.
[[nodiscard]] std::optional<std::uint32_t> number_in(const std::string& picture, Size size, std::size_t step = 1);

/// How far two pictures' bytes are apart, on average; 255 where one is longer.
[[nodiscard]] double apart(const std::string& one, const std::string& other);

/// A test failure unless all of `original` are in `captured`, in order, none missing, none between, none after.
void expect_exact(const Pictures& original, const Pictures& captured);

/// Writes into a FIFO as a program does that makes pictures: waits for whom reads, and for room.
class FifoWriter {
 public:
  /// Makes the FIFO.
  FifoWriter(std::filesystem::path fifo, std::string bytes);
  FifoWriter(const FifoWriter&) = delete;
  FifoWriter& operator=(const FifoWriter&) = delete;
  /// Gives up what it waits for.
  ~FifoWriter();

  [[nodiscard]] const std::filesystem::path& path() const { return fifo_; }
  /// Closes the FIFO when all is written.
  void start();
  /// So many bytes have found their way so far.
  [[nodiscard]] std::size_t written() const { return written_; }
  /// Of all that's to be written.
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  void write();

  std::filesystem::path fifo_;
  std::string bytes_;
  std::atomic<std::size_t> written_{0};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace dmmap::testing
