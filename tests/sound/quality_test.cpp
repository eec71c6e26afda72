// What the sound device does to a tone, in numbers: its level, and total harmonic distortion and noise (THD+N), of each
// encoding through each path. Tones are written and read by libsndfile, so that no mistake of ours cancels itself out.
#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "servers/sound/stream/recorder.h"
#include "sound/support.h"

namespace dmmap::sound::testing {
namespace {

constexpr double kLoudness = 0.891;  // -1 dB
constexpr double kHertz = 997;       // falls on other values in each period

struct Quality {
  double level = 0;  // of the tone, in dB of what it should be
  double thd_n = 0;  // of all that isn't the tone, in dB of the tone
};

// Fits the tone, and a constant, by least squares. `samples` are one channel.
Quality quality(std::span<const float> samples, unsigned rate, double hertz = kHertz) {
  // Whole periods enough that sine, cosine and constant are as good as orthogonal.
  const auto angle = [&](std::size_t i) { return 2 * std::numbers::pi * hertz * static_cast<double>(i) / rate; };
  std::array<std::array<double, 4>, 3> equations{};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::array<double, 3> basis{std::sin(angle(i)), std::cos(angle(i)), 1};
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t column = 0; column < 3; ++column) {
        equations[row][column] += basis[row] * basis[column];
      }
      equations[row][3] += basis[row] * static_cast<double>(samples[i]);
    }
  }
  for (std::size_t pivot = 0; pivot < 3; ++pivot) {
    for (std::size_t row = 0; row < 3; ++row) {
      const double factor = row == pivot ? 0 : equations[row][pivot] / equations[pivot][pivot];
      for (std::size_t column = 0; column < 4; ++column) {
        equations[row][column] -= factor * equations[pivot][column];
      }
    }
  }
  const auto solved = [&](std::size_t i) { return equations[i][3] / equations[i][i]; };
  const double amplitude = std::hypot(solved(0), solved(1));
  double rest = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double tone = solved(0) * std::sin(angle(i)) + solved(1) * std::cos(angle(i));
    rest += std::pow(static_cast<double>(samples[i]) - tone, 2);
  }
  const double rms = std::sqrt(rest / static_cast<double>(samples.size()));
  return {20 * std::log10(amplitude / kLoudness), 20 * std::log10(rms / (amplitude / std::numbers::sqrt2))};
}

std::vector<float> tone(unsigned rate, double length, double hertz = kHertz) {
  std::vector<float> samples(static_cast<std::size_t>(rate * length));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(kLoudness * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / rate));
  }
  return samples;
}

// A file of libsndfile's in memory.
struct Memory {
  std::vector<std::byte> bytes;
  std::size_t at = 0;
};
SF_VIRTUAL_IO memory_io() {
  return {.get_filelen = [](void* data) { return static_cast<sf_count_t>(static_cast<Memory*>(data)->bytes.size()); },
          .seek =
              [](sf_count_t offset, int whence, void* data) {
                auto& to = *static_cast<Memory*>(data);
                const std::size_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? to.at : to.bytes.size();
                to.at = from + static_cast<std::size_t>(offset);
                return static_cast<sf_count_t>(to.at);
              },
          .read =
              [](void* out, sf_count_t count, void* data) {
                auto& from = *static_cast<Memory*>(data);
                const auto there = std::min(static_cast<std::size_t>(count), from.bytes.size() - from.at);
                std::memcpy(out, from.bytes.data() + from.at, there);
                from.at += there;
                return static_cast<sf_count_t>(there);
              },
          .write =
              [](const void* in, sf_count_t count, void* data) {
                auto& to = *static_cast<Memory*>(data);
                to.bytes.resize(std::max(to.bytes.size(), to.at + static_cast<std::size_t>(count)));
                std::memcpy(to.bytes.data() + to.at, in, static_cast<std::size_t>(count));
                to.at += static_cast<std::size_t>(count);
                return count;
              },
          .tell = [](void* data) { return static_cast<sf_count_t>(static_cast<Memory*>(data)->at); }};
}

// One encoding: what libsndfile calls it, and how good a tone of it is by the number of its bits.
struct Case {
  Encoding encoding;
  int sndfile;
  double worst_thd_n;    // dB
  double level;          // dB; libsndfile's full scale is 127, 32767 and so on
  bool shifted = false;  // libsndfile has it as 32 bits, of which these are the upper 24
};
constexpr int kLittle = SF_ENDIAN_LITTLE;
constexpr int kBig = SF_ENDIAN_BIG;
constexpr Case kCases[] = {
    {Encoding::u8, SF_FORMAT_PCM_U8, -48, 0.08},
    {Encoding::s8, SF_FORMAT_PCM_S8, -48, 0.08},
    {Encoding::mu_law, SF_FORMAT_ULAW, -36, 0.1},
    {Encoding::a_law, SF_FORMAT_ALAW, -36, 0.1},
    {Encoding::s16_le, SF_FORMAT_PCM_16 | kLittle, -96, 0.01},
    {Encoding::s16_be, SF_FORMAT_PCM_16 | kBig, -96, 0.01},
    {Encoding::s24_le, SF_FORMAT_PCM_32 | kLittle, -140, 0.01, true},
    {Encoding::s24_be, SF_FORMAT_PCM_32 | kBig, -140, 0.01, true},
    {Encoding::s24_packed, SF_FORMAT_PCM_24 | kLittle, -140, 0.01},
    {Encoding::s32_le, SF_FORMAT_PCM_32 | kLittle, -140, 0.01},
    {Encoding::s32_be, SF_FORMAT_PCM_32 | kBig, -140, 0.01},
    {Encoding::float32, SF_FORMAT_FLOAT | kLittle, -140, 0.01},
};
static_assert(std::size(kCases) == kEncodings);

// Each 32 bits shifted by 8: S24 is in the lower 24, libsndfile's in the upper.
std::vector<std::byte> shifted(const std::vector<std::byte>& bytes, bool big, bool up) {
  std::vector<std::byte> out(bytes.size());
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    std::uint32_t value = 0;
    for (std::size_t b = 0; b < 4; ++b) {
      value |= std::to_integer<std::uint32_t>(bytes[i + (big ? 3 - b : b)]) << (8 * b);
    }
    value = up ? value << 8 : static_cast<std::uint32_t>(static_cast<std::int32_t>(value) >> 8);
    for (std::size_t b = 0; b < 4; ++b) {
      out[i + (big ? 3 - b : b)] = static_cast<std::byte>(value >> (8 * b) & 0xff);
    }
  }
  return out;
}

SF_INFO info_of(const Case& each, unsigned rate) {
  SF_INFO info{};
  info.samplerate = static_cast<int>(rate);
  info.channels = 1;
  info.format = SF_FORMAT_RAW | each.sndfile;
  return info;
}

std::vector<std::byte> encoded(const Case& each, const std::vector<float>& samples, unsigned rate) {
  Memory memory;
  SF_INFO info = info_of(each, rate);
  SF_VIRTUAL_IO io = memory_io();
  SNDFILE* const file = sf_open_virtual(&io, SFM_WRITE, &info, &memory);
  EXPECT_NE(file, nullptr) << sf_strerror(nullptr);
  EXPECT_EQ(sf_write_float(file, samples.data(), static_cast<sf_count_t>(samples.size())),
            static_cast<sf_count_t>(samples.size()));
  sf_close(file);
  return each.shifted ? shifted(memory.bytes, each.encoding == Encoding::s24_be, false) : memory.bytes;
}

std::vector<float> decoded(const Case& each, const std::vector<std::byte>& bytes, unsigned rate) {
  Memory memory{each.shifted ? shifted(bytes, each.encoding == Encoding::s24_be, true) : bytes, 0};
  SF_INFO info = info_of(each, rate);
  SF_VIRTUAL_IO io = memory_io();
  SNDFILE* const file = sf_open_virtual(&io, SFM_READ, &info, &memory);
  EXPECT_NE(file, nullptr) << sf_strerror(nullptr);
  std::vector<float> samples(bytes.size() / sample_bytes(each.encoding));
  EXPECT_EQ(sf_read_float(file, samples.data(), static_cast<sf_count_t>(samples.size())),
            static_cast<sf_count_t>(samples.size()));
  sf_close(file);
  return samples;
}

// What a sink gets, before it's made 16 or 24 bits.
class FloatSink final : public Sink {
 public:
  explicit FloatSink(std::shared_ptr<std::vector<float>> heard) : heard_(std::move(heard)) {}
  Result<void> start(const SinkFormat& /*format*/) override { return {}; }
  Result<void> write(std::span<const float> samples) override {
    heard_->insert(heard_->end(), samples.begin(), samples.end());
    return {};
  }
  Result<void> sync() override { return {}; }

 private:
  std::shared_ptr<std::vector<float>> heard_;
};

// Plays `bytes` through the ring or by write, into a sink of `sink_rate`; what comes there, but for the edges.
std::vector<float> played(const std::vector<std::byte>& bytes, const AudioFormat& format, bool mapped,
                          unsigned sink_rate) {
  SimulatedClock clock;
  const Levels levels;
  auto heard = std::make_shared<std::vector<float>>();
  Engine engine(clock, std::make_unique<Mixer>(std::make_unique<FloatSink>(heard), MixFormat{sink_rate, 1}, levels,
                                               [](LogLevel /*level*/, const std::string& /*text*/) {}));
  const auto source = std::make_shared<TestSource>(clock, std::size_t{1} << 20);
  engine.add(source);
  source->stream.set_format(clock.now(), format);
  EXPECT_TRUE(source->stream.set_fragments(0x00040012));  // room for all of it
  if (mapped) {
    source->stream.trigger(clock.now(), false);
    std::copy(bytes.begin(), bytes.end(), source->region->bytes().begin());
    source->stream.trigger(clock.now(), true);
  } else {
    EXPECT_EQ(source->stream.write(clock.now(), bytes), bytes.size());
    source->stream.drain(clock.now());
  }
  const double length = static_cast<double>(bytes.size()) / static_cast<double>(bytes_a_second(format));
  for (int i = 0; i < static_cast<int>(length * 100); ++i) {
    clock.advance(std::chrono::milliseconds(10));
    engine.step(clock.now());
  }
  const auto edge = static_cast<std::ptrdiff_t>(sink_rate / 20);
  EXPECT_GT(static_cast<double>(heard->size()), 0.8 * length * sink_rate);
  if (heard->size() < static_cast<std::size_t>(3 * edge)) {
    return {};
  }
  return {heard->begin() + edge, heard->end() - edge};
}

class QualityTest : public ::testing::TestWithParam<Case> {
 protected:
  void expect_good(const Quality& measured, double worst, const std::string& where) {
    EXPECT_NEAR(measured.level, 0, GetParam().level) << where;
    EXPECT_LT(measured.thd_n, worst) << where;
    RecordProperty(where, std::to_string(measured.thd_n));
  }
};

TEST_P(QualityTest, PlayedAtTheSinksRateByBothPaths) {
  const Case& each = GetParam();
  const auto bytes = encoded(each, tone(48000, 1), 48000);
  for (const bool mapped : {false, true}) {
    expect_good(quality(played(bytes, {each.encoding, 48000, 1}, mapped, 48000), 48000), each.worst_thd_n,
                mapped ? "mmap" : "write");
  }
}

TEST_P(QualityTest, PlayedAtOtherRatesByBothPaths) {
  const Case& each = GetParam();
  const std::array<std::array<unsigned, 2>, 5> rates{
      {{44100, 48000}, {8000, 48000}, {48000, 44100}, {192000, 44100}, {4000, 192000}}};
  for (const auto& [from, to] : rates) {
    const auto bytes = encoded(each, tone(from, std::min(1.0, 60'000.0 / from)), from);
    for (const bool mapped : {false, true}) {
      expect_good(quality(played(bytes, {each.encoding, from, 1}, mapped, to), to), std::max(each.worst_thd_n, -110.0),
                  std::to_string(from) + (mapped ? "mmap" : "write"));
    }
  }
}

class ToneRecording final : public Recording {
 public:
  explicit ToneRecording(unsigned rate) : rate_(rate), tone_(tone(rate, 2)) {}
  [[nodiscard]] SourceFormat format() const override { return {rate_, 1}; }
  void read(std::span<float> samples) override {
    std::copy_n(tone_.begin() + static_cast<std::ptrdiff_t>(at_), samples.size(), samples.begin());
    at_ += samples.size();
  }

 private:
  unsigned rate_;
  std::vector<float> tone_;
  std::size_t at_ = 0;
};

TEST_P(QualityTest, Recorded) {
  const Case& each = GetParam();
  for (const unsigned source_rate : {48000U, 44100U}) {
    Recorder recorder(std::make_unique<ToneRecording>(source_rate), {each.encoding, 48000, 1});
    std::vector<std::byte> bytes(std::size_t{48000} * sample_bytes(each.encoding));
    for (std::size_t at = 0; at < bytes.size(); at += bytes.size() / 100) {
      recorder.record(std::span(bytes).subspan(at, bytes.size() / 100), {});
    }
    const auto samples = decoded(each, bytes, 48000);
    expect_good(quality(std::span(samples).subspan(4800, 38400), 48000),
                source_rate == 48000 ? each.worst_thd_n : std::max(each.worst_thd_n, -110.0),
                std::to_string(source_rate));
  }
}

INSTANTIATE_TEST_SUITE_P(Encodings, QualityTest, ::testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(name_of(each.param.encoding)); });

}  // namespace
}  // namespace dmmap::sound::testing
