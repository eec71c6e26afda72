// FrameReader: what an open file has whose program captures by read(2): pictures in memory of the server's.
//
// Promises: a read gets bytes of one picture, and the rest of it if the last one didn't get all. Thread safety: as an
// int's; the stream's lock guards it. What claim() gave is the camera's until finish().
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace dmmap::camera {

class FrameReader {
 public:
  /// For pictures of so many bytes at most.
  explicit FrameReader(std::size_t bytes);

  /// Room for a picture; nothing when the program hasn't read those that there are.
  [[nodiscard]] std::span<std::byte> claim();
  void finish(std::optional<std::size_t> bytes);

  /// Whether a read would get something.
  [[nodiscard]] bool ready() const { return !ready_.empty(); }
  /// Up to `most` bytes, at least one. REQUIRES: ready().
  [[nodiscard]] std::vector<std::byte> take(std::size_t most);

 private:
  static constexpr std::size_t kFrames = 3;
  struct Frame {
    std::vector<std::byte> bytes;
    std::size_t length = 0;
  };
  std::vector<Frame> frames_;
  std::deque<std::size_t> free_;
  std::deque<std::size_t> ready_;
  std::optional<std::size_t> claimed_;
  std::size_t taken_ = 0;  // bytes, of the first that's ready
};

}  // namespace dmmap::camera
