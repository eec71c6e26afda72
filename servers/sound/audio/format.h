// AudioFormat: what the bytes of a stream mean.
//
// Promises: plain values and functions of them; a frame is one sample of each channel, side by side. Thread safety: all
// of it, from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dmmap::sound {

/// How a sample is written (OSS 4 programming guide, "Audio data formats").
enum class Encoding : std::uint8_t {
  u8,          ///< 8 bits, 128 is silence
  s8,          ///< 8 bits
  mu_law,      ///< 8 bits, logarithmic (ITU-T G.711), good for 14
  a_law,       ///< 8 bits, logarithmic (ITU-T G.711), good for 13
  s16_le,      ///< 16 bits, little endian
  s16_be,      ///< 16 bits, big endian
  s24_le,      ///< 24 bits, the low ones of 32, little endian
  s24_be,      ///< 24 bits, the low ones of 32, big endian
  s24_packed,  ///< 24 bits in three bytes, little endian
  s32_le,      ///< 32 bits, little endian; 24 of them are heard
  s32_be,      ///< 32 bits, big endian; 24 of them are heard
  float32,     ///< IEEE 754, full scale being 1.0, of this machine's byte order
};
inline constexpr std::size_t kEncodings = 12;

/// What OSS promises after open(2), until a program says otherwise: 8 kHz, mono, U8.
struct AudioFormat {
  Encoding encoding = Encoding::u8;
  unsigned rate = 8000;   ///< frames a second
  unsigned channels = 1;  ///< samples a frame
  bool operator==(const AudioFormat&) const = default;
};

inline constexpr unsigned kLowestRate = 4000;     ///< Hz
inline constexpr unsigned kHighestRate = 192000;  ///< Hz
inline constexpr unsigned kMostChannels = 8;

[[nodiscard]] unsigned sample_bytes(Encoding encoding);
[[nodiscard]] unsigned frame_bytes(const AudioFormat& format);
[[nodiscard]] std::uint64_t bytes_a_second(const AudioFormat& format);
/// Its name without "AFMT_", and what stands for it in ioctls.
[[nodiscard]] const char* name_of(Encoding encoding);
[[nodiscard]] int oss_bits(Encoding encoding);
/// Of exactly one AFMT_ bit; none for what isn't known.
[[nodiscard]] std::optional<Encoding> encoding_of(int oss_bits);
/// Bits that a sink needs to keep all that is heard: 16 or 24.
[[nodiscard]] unsigned sink_bits(Encoding encoding);
/// The byte that silence is made of.
[[nodiscard]] std::byte silence(Encoding encoding);

/// Appends the samples of `bytes` to `samples`, full scale being 1.0: a value v of n bits is v / 2^(n-1), exactly up to
/// 24 bits. A float beyond full scale is clamped, so that one program can't drown the others; what it can't mean (NaN,
/// infinity) is silence. A sample that isn't whole at the end is left out.
void append_samples(Encoding encoding, std::span<const std::byte> bytes, std::vector<float>& samples);

/// The other way: `bytes` becomes the nearest that the encoding has, clamped at full scale, but for FLOAT, which has
/// all. Exact for what append_samples() made of the same encoding. REQUIRES: `bytes` has room for exactly the samples.
void encode_samples(Encoding encoding, std::span<const float> samples, std::span<std::byte> bytes);

/// The sample of 16 or 24 bits that is nearest; what lies beyond full scale is clamped. Exact for what append_samples()
/// made of as many bits or fewer.
[[nodiscard]] std::int16_t to_s16(float sample);
[[nodiscard]] std::int32_t to_s24(float sample);

/// For people: "S16_LE 44100 Hz stereo".
[[nodiscard]] std::string describe(const AudioFormat& format);

}  // namespace dmmap::sound
