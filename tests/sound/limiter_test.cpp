// What is too loud is made quieter, smoothly, and everything else passes as it is.
#include "servers/sound/mix/limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

namespace dmmap::sound::testing {
namespace {

constexpr unsigned kRate = 48000;

std::vector<float> through(const std::vector<float>& in, unsigned channels, std::size_t piece) {
  Limiter limiter(kRate, channels);
  std::vector<float> out;
  for (std::size_t at = 0; at < in.size(); at += piece) {
    limiter.process(std::span(in).subspan(at, std::min(piece, in.size() - at)), out);
  }
  limiter.flush(out);
  return out;
}

std::vector<float> random_samples(std::size_t count, float loudest) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> sample(-loudest, loudest);
  std::vector<float> samples(count);
  std::generate(samples.begin(), samples.end(), [&] { return sample(random); });
  return samples;
}

std::vector<float> tone(double hertz, float amplitude, std::size_t frames) {
  std::vector<float> samples(frames);
  for (std::size_t i = 0; i < frames; ++i) {
    samples[i] =
        amplitude * static_cast<float>(std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / kRate));
  }
  return samples;
}

TEST(Limiter, WhatFitsPassesBitForBitHoweverItsCut) {
  const auto samples = random_samples(20'000, 1.0F);
  EXPECT_EQ(through(samples, 2, 2), samples);
  EXPECT_EQ(through(samples, 2, 1920), samples);
  EXPECT_EQ(through({0.5F}, 1, 1), std::vector<float>{0.5F}) << "less than what is looked ahead";
  EXPECT_TRUE(through({}, 1, 1).empty());
}

TEST(Limiter, NothingIsBeyondFullScale) {
  const auto samples = random_samples(100'000, 4.0F);
  const auto out = through(samples, 2, 1234);
  ASSERT_EQ(out.size(), samples.size());
  for (const float sample : out) {
    ASSERT_LE(std::abs(sample), 1.0F + 1e-5F);
  }
}

// A clipped tone of twice full scale has a third harmonic of -14 dB and more.
TEST(Limiter, ATooLoudToneStaysATone) {
  const auto out = through(tone(1000, 2.0F, kRate), 1, 960);
  const auto amplitude = [&](double hertz) {
    double re = 0;
    double im = 0;
    for (std::size_t i = kRate / 2; i < kRate; ++i) {
      const double phase = 2 * std::numbers::pi * hertz * static_cast<double>(i) / kRate;
      re += static_cast<double>(out[i]) * std::cos(phase);
      im += static_cast<double>(out[i]) * std::sin(phase);
    }
    return std::hypot(re, im) / (kRate / 4.0);
  };
  EXPECT_GT(amplitude(1000), 0.97);
  for (const double harmonic : {2000.0, 3000.0, 5000.0}) {
    EXPECT_LT(20 * std::log10(amplitude(harmonic) / amplitude(1000)), -60) << harmonic;
  }
}

TEST(Limiter, WhatComesAfterAFlushDoesNotSufferFromWhatWasBefore) {
  Limiter limiter(kRate, 1);
  std::vector<float> out;
  limiter.process(std::vector<float>(1000, 4.0F), out);
  limiter.flush(out);
  ASSERT_EQ(out.size(), 1000U);
  out.clear();
  const std::vector<float> next = random_samples(2000, 0.9F);
  limiter.process(next, out);
  limiter.flush(out);
  EXPECT_EQ(out, next);
}

TEST(Limiter, AfterAPeakItsAsBefore) {
  std::vector<float> samples = random_samples(kRate, 0.9F);
  samples[10'000] = 3.0F;
  const auto out = through(samples, 1, 480);
  ASSERT_EQ(out.size(), samples.size());
  EXPECT_TRUE(std::equal(samples.begin(), samples.begin() + 10'000 - 240, out.begin())) << "no sooner than 5 ms before";
  EXPECT_NEAR(out[10'000], 1.0F, 1e-5F);
  EXPECT_TRUE(
      std::equal(samples.begin() + 10'000 + kRate / 5 + 480, samples.end(), out.begin() + 10'000 + kRate / 5 + 480));
  // No step: the gain changes by little from one frame to the next.
  for (std::size_t i = 9'000; i < 30'000; ++i) {
    if (std::abs(samples[i]) > 0.1F && std::abs(samples[i + 1]) > 0.1F) {
      ASSERT_NEAR(out[i] / samples[i], out[i + 1] / samples[i + 1], 0.01F) << i;
    }
  }
}

}  // namespace
}  // namespace dmmap::sound::testing
