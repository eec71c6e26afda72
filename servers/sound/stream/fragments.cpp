#include "servers/sound/stream/fragments.h"

#include <algorithm>
#include <bit>
#include <cerrno>

namespace dmmap::sound {

namespace {

constexpr std::uint32_t kSmallest = 4;  // log2 of bytes
constexpr std::uint32_t kLargest = 16;  // log2 of bytes
constexpr std::uint32_t kAbsurd = 25;   // log2 of bytes: from here on Linux refuses
constexpr std::uint32_t kFewest = 2;    // fragments in a ring
constexpr std::uint32_t kMany = 32;     // fragments for who has no wish, as Linux has it
constexpr std::uint32_t kUsual = 8;     // fragments in a ring
constexpr std::uint64_t kASecond = 16;  // fragments in a second, at least

}  // namespace

Result<void> FragmentChoice::set(std::uint32_t value) {
  if (chosen_ || parts_ != 0) {
    return fail(EINVAL, "the ring has been divided already");
  }
  const std::uint32_t log2 = value & 0xffff;
  if (log2 >= kAbsurd) {
    return fail(EINVAL, "no fragment is that large");
  }
  const auto most_bytes = static_cast<std::uint32_t>(std::bit_floor(region_bytes_ / kFewest));
  const std::uint32_t size = std::min(1U << std::clamp(log2, kSmallest, kLargest), most_bytes);
  const auto most = static_cast<std::uint32_t>(region_bytes_ / size);
  const std::uint32_t count = value >> 16;
  chosen_ = Fragments{size, count == 0 ? std::min(kMany, most) : std::clamp(count, kFewest, most)};
  return {};
}

Result<std::uint32_t> FragmentChoice::subdivide(std::uint32_t parts) {
  if (parts == 0) {
    return std::max(parts_, 1U);
  }
  if (chosen_ || parts_ != 0) {
    return fail(EINVAL, "the ring has been divided already");
  }
  if (!std::has_single_bit(parts) || parts > 16) {
    return fail(EINVAL, "a fragment can be divided by 1, 2, 4, 8 or 16");
  }
  parts_ = parts;
  return parts;
}

Fragments FragmentChoice::fragments(const AudioFormat& format) const {
  const std::uint32_t frame = frame_bytes(format);
  const auto whole_frames = [this, frame](Fragments ring) {
    ring.size = std::max(ring.size - ring.size % frame, frame);
    ring.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(ring.count, region_bytes_ / ring.size));
    return ring;
  };
  if (chosen_) {
    return whole_frames(*chosen_);
  }
  const std::uint64_t most = std::min<std::uint64_t>(1U << kLargest, region_bytes_ / kUsual);
  const std::uint64_t whole = std::bit_floor(std::min(bytes_a_second(format) / kASecond, most));
  const auto parts = std::max<std::uint64_t>(parts_, 1);
  const std::uint64_t size = std::max<std::uint64_t>(whole / parts, 1U << kSmallest);
  return whole_frames({static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(kUsual * parts)});
}

}  // namespace dmmap::sound
