// AudioFormat: what the bytes of a stream mean.
//
// Promises: plain values and functions of them; a frame is one sample of each channel, side by side. Thread safety: all
// of it, from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dmmap::sound {

/// How a sample is written (OSS 4 programming guide, "Audio data formats").
enum class Encoding : std::uint8_t {
  u8,      ///< 8 bits, 128 is silence
  s16_le,  ///< 16 bits, little endian
};

/// What OSS promises after open(2), until a program says otherwise: 8 kHz, mono, U8.
struct AudioFormat {
  Encoding encoding = Encoding::u8;
  unsigned rate = 8000;   ///< frames a second
  unsigned channels = 1;  ///< samples a frame
  bool operator==(const AudioFormat&) const = default;
};

inline constexpr unsigned kLowestRate = 8000;    ///< Hz
inline constexpr unsigned kHighestRate = 96000;  ///< Hz
inline constexpr unsigned kMostChannels = 2;

[[nodiscard]] unsigned sample_bytes(Encoding encoding);
[[nodiscard]] unsigned frame_bytes(const AudioFormat& format);
[[nodiscard]] std::uint64_t bytes_a_second(const AudioFormat& format);
/// The byte that silence is made of.
[[nodiscard]] std::byte silence(Encoding encoding);

/// Appends the samples of `bytes` to `samples`, full scale being 1.0: S16 value v is v / 32768, exactly, and U8 value v
/// is (v - 128) / 128. A sample that isn't whole at the end is left out.
void append_samples(Encoding encoding, std::span<const std::byte> bytes, std::vector<float>& samples);

/// The S16 sample that is nearest; what lies beyond full scale is clamped. Exact for what append_samples() made.
[[nodiscard]] std::int16_t to_s16(float sample);

/// For people: "S16_LE 44100 Hz stereo".
[[nodiscard]] std::string describe(const AudioFormat& format);

}  // namespace dmmap::sound
