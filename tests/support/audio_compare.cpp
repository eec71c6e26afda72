#include "support/audio_compare.h"

#include <sndfile.h>
#include <soxr.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <numbers>

namespace dmmap::testing {
namespace {

using Complex = std::complex<double>;

struct CloseSound {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundFile = std::unique_ptr<SNDFILE, CloseSound>;

// In place; the length is a power of two. The inverse isn't scaled: only the place of the maximum matters.
void transform(std::vector<Complex>& values, bool inverse) {
  const std::size_t n = values.size();
  for (std::size_t i = 1, j = 0; i < n; ++i) {
    std::size_t bit = n >> 1U;
    for (; (j & bit) != 0; bit >>= 1U) {
      j ^= bit;
    }
    j ^= bit;
    if (i < j) {
      std::swap(values[i], values[j]);
    }
  }
  for (std::size_t length = 2; length <= n; length *= 2) {
    const std::size_t half = length / 2;
    std::vector<Complex> roots(half);
    for (std::size_t k = 0; k < half; ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(length);
      roots[k] = std::polar(1.0, inverse ? angle : -angle);
    }
    for (std::size_t start = 0; start < n; start += length) {
      for (std::size_t k = 0; k < half; ++k) {
        const Complex even = values[start + k];
        const Complex odd = values[start + k + half] * roots[k];
        values[start + k] = even + odd;
        values[start + k + half] = even - odd;
      }
    }
  }
}

std::vector<double> mono(const Audio& audio) {
  std::vector<double> result(audio.frames());
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (unsigned channel = 0; channel < audio.channels; ++channel) {
      result[i] += audio.samples[i * audio.channels + channel];
    }
  }
  return result;
}

double dot(const double* a, const double* b, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

double correlation(const double* a, const double* b, std::size_t n) {
  const double energy = dot(a, a, n) * dot(b, b, n);
  return energy > 0 ? dot(a, b, n) / std::sqrt(energy) : 0;
}

// The lag at which the cross-correlation is greatest, each place divided by the capture's loudness there, so that a
// loud passage doesn't win over the right one.
std::size_t best_lag(const std::vector<double>& original, const std::vector<double>& capture) {
  std::size_t n = 1;
  while (n < original.size() + capture.size()) {
    n *= 2;
  }
  std::vector<Complex> a(n);
  std::vector<Complex> b(n);
  std::copy(original.begin(), original.end(), a.begin());
  std::copy(capture.begin(), capture.end(), b.begin());
  transform(a, false);
  transform(b, false);
  for (std::size_t i = 0; i < n; ++i) {
    b[i] *= std::conj(a[i]);
  }
  transform(b, true);
  std::vector<double> energy(capture.size() + 1);
  for (std::size_t i = 0; i < capture.size(); ++i) {
    energy[i + 1] = energy[i] + capture[i] * capture[i];
  }
  const double scale = static_cast<double>(n);
  const double least = dot(original.data(), original.data(), original.size()) / 1e6;
  std::size_t best = 0;
  double best_value = -std::numeric_limits<double>::infinity();
  for (std::size_t lag = 0; lag < capture.size(); ++lag) {
    const double here = energy[std::min(lag + original.size(), capture.size())] - energy[lag];
    const double value = b[lag].real() / scale / std::sqrt(std::max(here, least));
    if (value > best_value) {
      best_value = value;
      best = lag;
    }
  }
  return best;
}

double worst_block(const std::vector<double>& original, const std::vector<double>& heard, unsigned rate) {
  const std::size_t block = std::max<std::size_t>(rate / 20, 1);
  const double audible = dot(original.data(), original.data(), original.size()) / static_cast<double>(original.size());
  double worst = 1;
  for (std::size_t start = 0; start + block <= original.size(); start += block) {
    const double* part = original.data() + start;
    // Blocks that are all but silent have nothing to correlate.
    if (dot(part, part, block) / static_cast<double>(block) > audible / 100) {
      worst = std::min(worst, correlation(part, heard.data() + start, block));
    }
  }
  return worst;
}

}  // namespace

Audio read_audio(const std::filesystem::path& file) {
  SF_INFO info{};
  const SoundFile sound(sf_open(file.c_str(), SFM_READ, &info));
  if (sound == nullptr || info.frames < 0) {
    return {};
  }
  Audio audio{
      .rate = static_cast<unsigned>(info.samplerate), .channels = static_cast<unsigned>(info.channels), .samples = {}};
  audio.samples.resize(static_cast<std::size_t>(info.frames) * audio.channels);
  const sf_count_t frames = sf_readf_short(sound.get(), audio.samples.data(), info.frames);
  audio.samples.resize(static_cast<std::size_t>(std::max<sf_count_t>(frames, 0)) * audio.channels);
  return audio;
}

bool write_wav(const std::filesystem::path& file, const Audio& audio) {
  SF_INFO info{};
  info.samplerate = static_cast<int>(audio.rate);
  info.channels = static_cast<int>(audio.channels);
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  const SoundFile sound(sf_open(file.c_str(), SFM_WRITE, &info));
  const auto count = static_cast<sf_count_t>(audio.samples.size());
  return sound != nullptr && sf_write_short(sound.get(), audio.samples.data(), count) == count;
}

Audio without_silence_around(const Audio& audio) {
  const auto loud = [](std::int16_t sample) { return sample != 0; };
  const auto first = std::find_if(audio.samples.begin(), audio.samples.end(), loud);
  const auto last = std::find_if(audio.samples.rbegin(), audio.samples.rend(), loud).base();
  Audio result{.rate = audio.rate, .channels = audio.channels, .samples = {}};
  if (first < last) {
    const auto begin = static_cast<std::size_t>(first - audio.samples.begin()) / audio.channels;
    const auto end = (static_cast<std::size_t>(last - audio.samples.begin()) + audio.channels - 1) / audio.channels;
    const auto at = [&](std::size_t frame) {
      return audio.samples.begin() + static_cast<std::ptrdiff_t>(frame * audio.channels);
    };
    result.samples.assign(at(begin), at(end));
  }
  return result;
}

Audio with_channels(const Audio& audio, unsigned channels) {
  if (audio.channels == channels) {
    return audio;
  }
  Audio result{.rate = audio.rate, .channels = channels, .samples = {}};
  result.samples.reserve(audio.frames() * channels);
  for (std::size_t i = 0; i < audio.frames(); ++i) {
    int sum = 0;
    for (unsigned channel = 0; channel < audio.channels; ++channel) {
      sum += audio.samples[i * audio.channels + channel];
    }
    const auto mean = static_cast<std::int16_t>(sum / static_cast<int>(audio.channels));
    result.samples.insert(result.samples.end(), channels, mean);
  }
  return result;
}

Audio with_rate(const Audio& audio, unsigned rate) {
  if (audio.rate == rate) {
    return audio;
  }
  Audio result{.rate = rate, .channels = audio.channels, .samples = {}};
  const std::size_t frames = static_cast<std::size_t>(std::lround(audio.seconds() * rate));
  result.samples.resize(frames * audio.channels);
  const soxr_io_spec_t format = soxr_io_spec(SOXR_INT16_I, SOXR_INT16_I);
  std::size_t done = 0;
  const soxr_error_t error = soxr_oneshot(audio.rate, rate, audio.channels, audio.samples.data(), audio.frames(),
                                          nullptr, result.samples.data(), frames, &done, &format, nullptr, nullptr);
  result.samples.resize(error == nullptr ? done * audio.channels : 0);
  return result;
}

Match compare(const Audio& original, const Audio& capture) {
  Match match;
  const Audio wanted = with_channels(with_rate(original, capture.rate), capture.channels);
  if (wanted.samples.empty() || capture.samples.empty()) {
    return match;
  }
  const std::vector<double> wanted_mono = mono(wanted);
  std::vector<double> heard = mono(capture);
  match.offset = best_lag(wanted_mono, heard);
  const std::size_t frames = wanted.frames();
  const std::size_t within = std::min(frames, capture.frames() - match.offset);
  match.first_unequal = frames;
  for (std::size_t i = 0; i < within; ++i) {
    const std::int16_t* left = wanted.samples.data() + i * wanted.channels;
    const std::int16_t* right = capture.samples.data() + (match.offset + i) * capture.channels;
    if (std::equal(left, left + wanted.channels, right)) {
      ++match.equal_frames;
    } else {
      match.first_unequal = std::min(match.first_unequal, i);
    }
  }
  match.first_unequal = within < frames ? std::min(match.first_unequal, within) : match.first_unequal;
  match.exact = match.equal_frames == frames;
  // Silence stands for what was cut off.
  heard.resize(std::max(heard.size(), match.offset + frames));
  match.correlation = correlation(wanted_mono.data(), heard.data() + match.offset, frames);
  const std::vector<double> there(heard.begin() + static_cast<std::ptrdiff_t>(match.offset),
                                  heard.begin() + static_cast<std::ptrdiff_t>(match.offset + frames));
  match.worst_block = worst_block(wanted_mono, there, capture.rate);
  return match;
}

std::string describe(const Match& match, const Audio& original, const Audio& capture) {
  const double start = capture.rate == 0 ? 0 : static_cast<double>(match.offset) / capture.rate;
  char text[512];
  if (original.frames() == 0 || capture.frames() == 0) {
    return original.frames() == 0 ? "there's no original" : "the capture is empty";
  }
  if (match.exact) {
    std::snprintf(text, sizeof text,
                  "exact: all %zu frames (%.2f s) of the original, in order and none missing, from %.3f s on",
                  match.equal_frames, original.seconds(), start);
  } else {
    std::snprintf(
        text, sizeof text,
        "not exact: best at %.3f s, %zu of %zu frames equal, first difference at frame %zu, correlation %.5f, "
        "worst 50 ms %.5f (original %u Hz, %.2f s; capture %u Hz, %.2f s)",
        start, match.equal_frames, with_rate(original, capture.rate).frames(), match.first_unequal, match.correlation,
        match.worst_block, original.rate, original.seconds(), capture.rate, capture.seconds());
  }
  return text;
}

Audio without(const Audio& capture, const Audio& part, std::size_t offset) {
  Audio rest = capture;
  const std::size_t start = offset * capture.channels;
  for (std::size_t i = 0; i < part.samples.size() && start + i < rest.samples.size(); ++i) {
    const int difference = rest.samples[start + i] - part.samples[i];
    rest.samples[start + i] = static_cast<std::int16_t>(std::clamp<int>(difference, -32768, 32767));
  }
  return rest;
}

int peak(const Audio& audio) {
  int greatest = 0;
  for (const std::int16_t sample : audio.samples) {
    greatest = std::max(greatest, std::abs(static_cast<int>(sample)));
  }
  return greatest;
}

}  // namespace dmmap::testing
