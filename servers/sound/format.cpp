#include "servers/sound/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dmmap::sound {

unsigned sample_bytes(Encoding encoding) {
  return encoding == Encoding::u8 ? 1 : 2;
}

unsigned frame_bytes(const AudioFormat& format) {
  return sample_bytes(format.encoding) * format.channels;
}

std::uint64_t bytes_a_second(const AudioFormat& format) {
  return std::uint64_t{frame_bytes(format)} * format.rate;
}

std::byte silence(Encoding encoding) {
  return encoding == Encoding::u8 ? std::byte{0x80} : std::byte{0};
}

void append_samples(Encoding encoding, std::span<const std::byte> bytes, std::vector<float>& samples) {
  const std::size_t count = bytes.size() / sample_bytes(encoding);
  samples.reserve(samples.size() + count);
  if (encoding == Encoding::u8) {
    for (const std::byte value : bytes) {
      samples.push_back(static_cast<float>(std::to_integer<int>(value) - 128) / 128.0F);
    }
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned low = std::to_integer<unsigned>(bytes[2 * i]);
    const unsigned high = std::to_integer<unsigned>(bytes[2 * i + 1]);
    const auto value = static_cast<std::int16_t>(static_cast<std::uint16_t>(low | high << 8));
    samples.push_back(static_cast<float>(value) / 32768.0F);
  }
}

std::int16_t to_s16(float sample) {
  const float scaled = std::clamp(sample * 32768.0F, -32768.0F, 32767.0F);
  return static_cast<std::int16_t>(std::lrintf(scaled));
}

std::string describe(const AudioFormat& format) {
  const char* const encoding = format.encoding == Encoding::u8 ? "U8" : "S16_LE";
  return fmt::format("{} {} Hz {}", encoding, format.rate, format.channels == 1 ? "mono" : "stereo");
}

}  // namespace dmmap::sound
