// What was heard, compared with what was played.
//
// Promises: compare() finds the place of the original in the capture by itself, whatever came before and after it, and
// says how well it fits there: sample by sample when rates are the same, by correlation in any case. Correlation is
// also taken block by block, so that a gap, a repetition or a slip of the clock in a long piece isn't averaged away.
// Thread safety: plain functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace dmmap::testing {

/// 16 bit samples, the channels of a frame side by side.
struct Audio {
  unsigned rate = 0;
  unsigned channels = 0;
  std::vector<std::int16_t> samples;

  [[nodiscard]] std::size_t frames() const { return channels == 0 ? 0 : samples.size() / channels; }
  [[nodiscard]] double seconds() const { return rate == 0 ? 0 : static_cast<double>(frames()) / rate; }
};

/// Reads what libsndfile reads. An empty Audio (no channels) when it can't.
[[nodiscard]] Audio read_audio(const std::filesystem::path& file);
/// Writes a 16 bit WAV. False when it can't.
[[nodiscard]] bool write_wav(const std::filesystem::path& file, const Audio& audio);

/// `audio` without the silence before and after it.
[[nodiscard]] Audio without_silence_around(const Audio& audio);

/// `audio` with one channel more or fewer: mono is doubled, stereo averaged.
[[nodiscard]] Audio with_channels(const Audio& audio, unsigned channels);

/// `audio` at another rate, by libsoxr.
[[nodiscard]] Audio with_rate(const Audio& audio, unsigned rate);

struct Match {
  bool exact = false;             ///< every frame of the original is in the capture, in order, none between them
  std::size_t offset = 0;         ///< the frame of the capture at which the original fits best
  std::size_t equal_frames = 0;   ///< frames that are the same there
  std::size_t first_unequal = 0;  ///< the first frame of the original that isn't; its length when all are
  double correlation = 0;         ///< over the whole original: 1 when the same but for loudness
  double worst_block = 0;         ///< of the audible block of 50 ms that fits worst
};

/// Where and how well `original` is found in `capture`, after bringing it to the capture's rate and channels.
[[nodiscard]] Match compare(const Audio& original, const Audio& capture);

/// A sentence or two that say what `match` means, for people.
[[nodiscard]] std::string describe(const Match& match, const Audio& original, const Audio& capture);

/// `capture` with `part`, which is of the same rate and channels, taken out of the sum at frame `offset`.
[[nodiscard]] Audio without(const Audio& capture, const Audio& part, std::size_t offset);

/// The largest absolute sample.
[[nodiscard]] int peak(const Audio& audio);

}  // namespace dmmap::testing
