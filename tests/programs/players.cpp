#include "programs/players.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>

#include "support/mounts.h"
#include "support/process.h"

namespace dmmap::testing {

namespace {

using std::chrono::seconds;

constexpr seconds kStarting{20};

Audio with_silence_after(Audio audio, double seconds_of_silence) {
  audio.samples.resize(audio.samples.size() +
                       static_cast<std::size_t>(seconds_of_silence * audio.rate) * audio.channels);
  return audio;
}

}  // namespace

Audio noise(unsigned rate, unsigned channels, double length, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> sample(-15000, 15000);
  Audio audio{.rate = rate, .channels = channels, .samples = {}};
  const auto count = static_cast<std::size_t>(length * rate) * channels;
  for (std::size_t i = 0; i < count; ++i) {
    // Never zero, so that silence around it can be told from it.
    const int value = sample(random);
    audio.samples.push_back(static_cast<std::int16_t>(value == 0 ? 1 : value));
  }
  return audio;
}

std::filesystem::path saved(const SoundServer& server, const std::string& name, const Audio& audio) {
  std::filesystem::path file = server.directory() / name;
  EXPECT_TRUE(write_wav(file, with_silence_after(audio, 1)));
  return file;
}

ProcessOptions sdl(const SoundServer& server, const std::string& driver) {
  return {.environment = {"SDL_AUDIODRIVER=" + driver, "SDL_PATH_DSP=" + server.dsp().string(),
                          "HOME=" + server.directory().string()},
          .directory = server.directory(),
          .user = server.user()};
}

std::vector<std::string> mplayer(const std::filesystem::path& file) {
  return {"mplayer", "-noconfig", "all", "-really-quiet", "-noconsolecontrols", "-nolirc", "-ao", "sdl", file.string()};
}

void expect_exact(const Audio& original, const Audio& heard) {
  const Match match = compare(original, heard);
  EXPECT_TRUE(match.exact) << describe(match, original, heard);
}

void one_plays_through_mmap(SoundServer& server) {
  const Audio original = noise(8000, 1, 3, 1);
  Process player(mplayer(saved(server, "original.wav", original)), sdl(server, "dma"));
  EXPECT_TRUE(wait_until([&] { return maps(player.pid(), server.dsp()); }, kStarting));
  EXPECT_EQ(player.wait(kPlaying).status, 0) << player.err();
  expect_exact(original, server.finish());
}

void two_play_through_mmap(SoundServer& server) {
  const Audio one = noise(8000, 1, 5, 2);
  const Audio other = noise(8000, 1, 5, 3);
  Process first(mplayer(saved(server, "one.wav", one)), sdl(server, "dma"));
  Process second(mplayer(saved(server, "other.wav", other)), sdl(server, "dma"));
  EXPECT_TRUE(
      wait_until([&] { return maps(first.pid(), server.dsp()) && maps(second.pid(), server.dsp()); }, kStarting));
  EXPECT_EQ(first.wait(kPlaying).status, 0) << first.err();
  EXPECT_EQ(second.wait(kPlaying).status, 0) << second.err();

  // Take the one out of what was heard, and the other must be there alone, to the last sample; the other way round too.
  const Audio heard = server.finish();
  const std::size_t one_at = compare(one, heard).offset;
  const std::size_t other_at = compare(other, heard).offset;
  expect_exact(other, without(heard, one, one_at));
  expect_exact(one, without(heard, other, other_at));
  EXPECT_LT(std::max(one_at, other_at), std::min(one_at + one.frames(), other_at + other.frames()))
      << "they didn't play at the same time";
}

}  // namespace dmmap::testing
