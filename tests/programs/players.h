// Debian's mplayer on SDL 1.2, which plays through mmap or write, and what it plays.
//
// The material has few samples a second, so that a fragment takes a tenth of a second and a busy machine doesn't make a
// program late. A second of silence follows it: what a program leaves unplayed when it ends isn't the server's doing.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/process.h"

namespace dmmap::testing {

/// How long what a test plays may take at the most.
inline constexpr std::chrono::seconds kPlaying{60};

/// Noise fits at one place only; half as loud as could be, so that two fit into one mix.
[[nodiscard]] Audio noise(unsigned rate, unsigned channels, double length, unsigned seed);

/// A file in the server's folder that has `audio`, and silence after it.
std::filesystem::path saved(const SoundServer& server, const std::string& name, const Audio& audio);

/// SDL 1.2 finds the device by SDL_PATH_DSP and the way to play by SDL_AUDIODRIVER; HOME keeps a user's settings out.
[[nodiscard]] ProcessOptions sdl(const SoundServer& server, const std::string& driver);
[[nodiscard]] std::vector<std::string> mplayer(const std::filesystem::path& file);

void expect_exact(const Audio& original, const Audio& heard);

/// A program plays noise through mmap on a server of 8000 Hz mono, which then ends; what was heard is compared.
void one_plays_through_mmap(SoundServer& server);
/// Two play at the same time, and both are in what was heard.
void two_play_through_mmap(SoundServer& server);

}  // namespace dmmap::testing
