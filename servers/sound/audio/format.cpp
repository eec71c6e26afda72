#include "servers/sound/audio/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "servers/sound/oss4.h"

namespace dmmap::sound {

namespace {

struct Facts {
  Encoding encoding;
  const char* name;
  int oss;
  unsigned bytes;
  unsigned bits;  // that a sink needs
  std::byte silence;
};
constexpr std::array<Facts, kEncodings> kFacts{{
    {Encoding::u8, "U8", AFMT_U8, 1, 16, std::byte{0x80}},
    {Encoding::s8, "S8", AFMT_S8, 1, 16, std::byte{0}},
    {Encoding::mu_law, "MU_LAW", AFMT_MU_LAW, 1, 16, std::byte{0xff}},
    {Encoding::a_law, "A_LAW", AFMT_A_LAW, 1, 16, std::byte{0xd5}},
    {Encoding::s16_le, "S16_LE", AFMT_S16_LE, 2, 16, std::byte{0}},
    {Encoding::s16_be, "S16_BE", AFMT_S16_BE, 2, 16, std::byte{0}},
    {Encoding::s24_le, "S24_LE", AFMT_S24_LE, 4, 24, std::byte{0}},
    {Encoding::s24_be, "S24_BE", AFMT_S24_BE, 4, 24, std::byte{0}},
    {Encoding::s24_packed, "S24_PACKED", AFMT_S24_PACKED, 3, 24, std::byte{0}},
    {Encoding::s32_le, "S32_LE", AFMT_S32_LE, 4, 24, std::byte{0}},
    {Encoding::s32_be, "S32_BE", AFMT_S32_BE, 4, 24, std::byte{0}},
    {Encoding::float32, "FLOAT", AFMT_FLOAT, 4, 24, std::byte{0}},
}};

constexpr const Facts& facts(Encoding encoding) {
  return kFacts.at(static_cast<std::size_t>(encoding));
}
static_assert(std::all_of(kFacts.begin(), kFacts.end(),
                          [](const Facts& each) { return &facts(each.encoding) == &each; }));

// ITU-T G.711: the bits are sent inverted; three of them are an exponent, four a mantissa. 14 bits are meant.
int of_mu_law(std::byte coded) {
  const unsigned bits = ~std::to_integer<unsigned>(coded) & 0xff;
  const int magnitude = static_cast<int>(((bits & 0xf) * 2 + 33) << (bits >> 4 & 7)) - 33;
  return (bits & 0x80) != 0 ? -magnitude : magnitude;
}

// Likewise, with every second bit inverted, and no bias in the lowest segment. 13 bits are meant.
int of_a_law(std::byte coded) {
  const unsigned bits = std::to_integer<unsigned>(coded) ^ 0x55;
  const unsigned exponent = bits >> 4 & 7;
  const unsigned mantissa = (bits & 0xf) * 2 + 1;
  const int magnitude = static_cast<int>(exponent == 0 ? mantissa : (mantissa + 32) << (exponent - 1));
  return (bits & 0x80) != 0 ? magnitude : -magnitude;
}

// The 8 * kBytes bits at `from`, as the upper ones of 32.
template <unsigned kBytes, std::endian kOrder>
std::int32_t upper(const std::byte* from) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < kBytes; ++i) {
    const unsigned place = kOrder == std::endian::little ? i : kBytes - 1 - i;
    value |= std::to_integer<std::uint32_t>(from[i]) << (8 * (place + 4 - kBytes));
  }
  return static_cast<std::int32_t>(value);
}

// The code of the segment and the mantissa; `magnitude` has a leading one, in bit 5 or higher, and four bits after it.
unsigned segment_and_mantissa(unsigned magnitude, unsigned first_exponent) {
  const unsigned top = static_cast<unsigned>(std::bit_width(magnitude | 32)) - 1;
  return (top - 5 + first_exponent) << 4 | (magnitude >> (top - 4) & 0xf);
}

// What of_mu_law() makes of it is the middle of the interval that `value`, of 14 bits, is in.
std::byte to_mu_law(int value) {
  const auto magnitude = static_cast<unsigned>(std::min(std::abs(value) + 33, 8191));
  const unsigned bits = segment_and_mantissa(magnitude, 0) | (value < 0 ? 0x80U : 0U);
  return static_cast<std::byte>(~bits & 0xff);
}

// Likewise, of 13 bits.
std::byte to_a_law(int value) {
  const auto magnitude = static_cast<unsigned>(std::min(std::abs(value), 4095));
  const unsigned bits = magnitude < 32 ? magnitude >> 1 : segment_and_mantissa(magnitude, 1);
  return static_cast<std::byte>((bits | (value < 0 ? 0U : 0x80U)) ^ 0x55);
}

float of_float(const std::byte* from) {
  float value = 0;
  std::memcpy(&value, from, sizeof value);
  return std::isfinite(value) ? std::clamp(value, -1.0F, 1.0F) : 0.0F;
}

template <class Read>
void append(std::span<const std::byte> bytes, unsigned size, std::vector<float>& samples, const Read& read) {
  const std::size_t count = bytes.size() / size;
  samples.reserve(samples.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = read(bytes.data() + i * size);
    if constexpr (std::is_same_v<decltype(value), const float>) {
      samples.push_back(value);
    } else {
      samples.push_back(static_cast<float>(value) / 2147483648.0F);
    }
  }
}

std::int32_t nearest(float sample, float full_scale) {
  return static_cast<std::int32_t>(std::lrintf(std::clamp(sample * full_scale, -full_scale, full_scale - 1)));
}

// A float can't have 2^31 - 1.
std::int32_t nearest_of_32_bits(float sample) {
  constexpr double kFullScale = 2147483648.0;
  return static_cast<std::int32_t>(
      std::llrint(std::clamp(static_cast<double>(sample) * kFullScale, -kFullScale, kFullScale - 1)));
}

// The low 8 * kBytes bits of `value`.
template <unsigned kBytes, std::endian kOrder>
void put(std::int32_t value, std::byte* to) {
  for (unsigned i = 0; i < kBytes; ++i) {
    const unsigned place = kOrder == std::endian::little ? i : kBytes - 1 - i;
    to[i] = static_cast<std::byte>(static_cast<std::uint32_t>(value) >> (8 * place));
  }
}

}  // namespace

unsigned sample_bytes(Encoding encoding) {
  return facts(encoding).bytes;
}

unsigned frame_bytes(const AudioFormat& format) {
  return sample_bytes(format.encoding) * format.channels;
}

std::uint64_t bytes_a_second(const AudioFormat& format) {
  return std::uint64_t{frame_bytes(format)} * format.rate;
}

const char* name_of(Encoding encoding) {
  return facts(encoding).name;
}

int oss_bits(Encoding encoding) {
  return facts(encoding).oss;
}

std::optional<Encoding> encoding_of(int oss_bits) {
  const auto* const found =
      std::find_if(kFacts.begin(), kFacts.end(), [oss_bits](const Facts& each) { return each.oss == oss_bits; });
  return found == kFacts.end() ? std::nullopt : std::optional(found->encoding);
}

unsigned sink_bits(Encoding encoding) {
  return facts(encoding).bits;
}

std::byte silence(Encoding encoding) {
  return facts(encoding).silence;
}

void append_samples(Encoding encoding, std::span<const std::byte> bytes, std::vector<float>& samples) {
  using std::endian;
  const auto each = [&](const auto& read) { append(bytes, sample_bytes(encoding), samples, read); };
  switch (encoding) {
    case Encoding::u8:
      return each([](const std::byte* at) { return (std::to_integer<std::int32_t>(*at) - 128) * (1 << 24); });
    case Encoding::s8:
      return each(upper<1, endian::little>);
    case Encoding::mu_law:
      return each([](const std::byte* at) { return of_mu_law(*at) * (1 << 18); });
    case Encoding::a_law:
      return each([](const std::byte* at) { return of_a_law(*at) * (1 << 19); });
    case Encoding::s16_le:
      return each(upper<2, endian::little>);
    case Encoding::s16_be:
      return each(upper<2, endian::big>);
    case Encoding::s24_le:
    case Encoding::s24_packed:
      return each(upper<3, endian::little>);
    case Encoding::s24_be:
      return each([](const std::byte* at) { return upper<3, endian::big>(at + 1); });
    case Encoding::s32_le:
      return each(upper<4, endian::little>);
    case Encoding::s32_be:
      return each(upper<4, endian::big>);
    case Encoding::float32:
      return each(of_float);
  }
}

void encode_samples(Encoding encoding, std::span<const float> samples, std::span<std::byte> bytes) {
  using std::endian;
  const auto each = [&](const auto& write) {
    const std::size_t size = sample_bytes(encoding);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      write(samples[i], bytes.data() + i * size);
    }
  };
  switch (encoding) {
    case Encoding::u8:
      return each([](float sample, std::byte* to) { *to = static_cast<std::byte>(nearest(sample, 128) + 128); });
    case Encoding::s8:
      return each([](float sample, std::byte* to) { put<1, endian::little>(nearest(sample, 128), to); });
    case Encoding::mu_law:
      return each([](float sample, std::byte* to) { *to = to_mu_law(nearest(sample, 8192)); });
    case Encoding::a_law:
      return each([](float sample, std::byte* to) { *to = to_a_law(nearest(sample, 4096)); });
    case Encoding::s16_le:
      return each([](float sample, std::byte* to) { put<2, endian::little>(to_s16(sample), to); });
    case Encoding::s16_be:
      return each([](float sample, std::byte* to) { put<2, endian::big>(to_s16(sample), to); });
    case Encoding::s24_le:
      return each([](float sample, std::byte* to) { put<4, endian::little>(to_s24(sample), to); });
    case Encoding::s24_be:
      return each([](float sample, std::byte* to) { put<4, endian::big>(to_s24(sample), to); });
    case Encoding::s24_packed:
      return each([](float sample, std::byte* to) { put<3, endian::little>(to_s24(sample), to); });
    case Encoding::s32_le:
      return each([](float sample, std::byte* to) { put<4, endian::little>(nearest_of_32_bits(sample), to); });
    case Encoding::s32_be:
      return each([](float sample, std::byte* to) { put<4, endian::big>(nearest_of_32_bits(sample), to); });
    case Encoding::float32:
      return each([](float sample, std::byte* to) { std::memcpy(to, &sample, sizeof sample); });
  }
}

std::int16_t to_s16(float sample) {
  return static_cast<std::int16_t>(nearest(sample, 32768.0F));
}

std::int32_t to_s24(float sample) {
  return nearest(sample, 8388608.0F);
}

std::string describe(const AudioFormat& format) {
  const std::string channels = format.channels == 1   ? "mono"
                               : format.channels == 2 ? "stereo"
                                                      : fmt::format("{} channels", format.channels);
  return fmt::format("{} {} Hz {}", name_of(format.encoding), format.rate, channels);
}

}  // namespace dmmap::sound
