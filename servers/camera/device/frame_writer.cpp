#include "servers/camera/device/frame_writer.h"

#include <algorithm>
#include <utility>

#include "servers/camera/picture/converter.h"

namespace dmmap::camera {

std::size_t FrameWriter::take(std::span<const std::byte> from) {
  if (!frame_) {
    frame_ = std::make_shared<std::vector<std::byte>>(bytes_ + kRoomBehind);
  }
  const auto part = from.first(std::min(from.size(), bytes_ - filled_));
  std::copy(part.begin(), part.end(), frame_->begin() + static_cast<std::ptrdiff_t>(filled_));
  filled_ += part.size();
  return part.size();
}

FrameWriter::Bytes FrameWriter::take_whole() {
  if (!frame_ || filled_ < bytes_) {
    return nullptr;
  }
  filled_ = 0;
  return std::exchange(frame_, nullptr);
}

}  // namespace dmmap::camera
