#include "servers/camera/device/frame_reader.h"

#include <algorithm>

namespace dmmap::camera {

FrameReader::FrameReader(std::size_t bytes) : frames_(kFrames) {
  for (std::size_t i = 0; i < kFrames; ++i) {
    frames_[i].bytes.resize(bytes);
    free_.push_back(i);
  }
}

std::span<std::byte> FrameReader::claim() {
  if (free_.empty()) {
    return {};
  }
  claimed_ = free_.front();
  free_.pop_front();
  return frames_[*claimed_].bytes;
}

void FrameReader::finish(std::optional<std::size_t> bytes) {
  if (!claimed_) {
    return;
  }
  if (bytes.value_or(0) > 0) {
    frames_[*claimed_].length = *bytes;
    ready_.push_back(*claimed_);
  } else {
    free_.push_back(*claimed_);
  }
  claimed_.reset();
}

std::vector<std::byte> FrameReader::take(std::size_t most) {
  const std::size_t index = ready_.front();
  const Frame& frame = frames_[index];
  const auto rest = std::span<const std::byte>(frame.bytes).first(frame.length).subspan(taken_);
  const auto part = rest.first(std::min(most, rest.size()));
  std::vector<std::byte> bytes(part.begin(), part.end());
  taken_ += part.size();
  if (taken_ == frame.length) {
    taken_ = 0;
    ready_.pop_front();
    free_.push_back(index);
  }
  return bytes;
}

}  // namespace dmmap::camera
