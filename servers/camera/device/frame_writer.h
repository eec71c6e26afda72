// FrameWriter: what an open file has whose program puts pictures in by write(2): a picture is whole when all its bytes
// have come, in however many writes.
//
// Thread safety: as an int's; the stream's lock guards it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace dmmap::camera {

class FrameWriter {
 public:
  using Bytes = std::shared_ptr<std::vector<std::byte>>;
  /// For pictures of so many bytes each.
  explicit FrameWriter(std::size_t bytes) : bytes_(bytes) {}

  /// Takes bytes up to the end of a picture. Returns how many.
  std::size_t take(std::span<const std::byte> from);
  /// The picture, if all of it is there, with room behind it (Converter). The next one begins then.
  [[nodiscard]] Bytes take_whole();
  /// Bytes of a picture that isn't whole.
  [[nodiscard]] std::size_t part() const { return filled_; }

 private:
  const std::size_t bytes_;
  Bytes frame_;
  std::size_t filled_ = 0;
};

}  // namespace dmmap::camera
