// Debian's programs that capture from a camera, or put pictures into one: how they're called, and what they brought.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "programs/camera_server.h"
#include "programs/pictures.h"

namespace dmmap::testing {

/// How long what a test captures may take at the most.
inline constexpr std::chrono::seconds kCapturing{30};

/// The name that ffmpeg has for a format of the camera's.
[[nodiscard]] std::string ffmpeg_format(const std::string& format);

/// `ffmpeg -f v4l2`, by mmap, which saves `count` pictures as they come.
[[nodiscard]] std::vector<std::string> ffmpeg_capture(const std::filesystem::path& video, const std::string& format,
                                                      Size size, std::size_t count, const std::filesystem::path& into);
/// `ffmpeg -f v4l2` as an output, by write(2), of pictures in a file, at `rate` a second.
[[nodiscard]] std::vector<std::string> ffmpeg_put(const std::filesystem::path& from, const std::string& format,
                                                  Size size, unsigned rate, const std::filesystem::path& video);
/// The pixels of any picture or film that ffmpeg reads, as `pixels` (a name of ffmpeg's) has them.
[[nodiscard]] std::string decoded(const std::filesystem::path& file, const std::string& pixels);
/// A film of these pictures of `size` and `pixels`, made by ffmpeg with these words.
void encode(const Pictures& pictures, const std::string& pixels, Size size, const std::vector<std::string>& words,
            const std::filesystem::path& file);

/// `dmmap run WORDS`: for programs that insist on a character device.
[[nodiscard]] std::vector<std::string> by_run(std::vector<std::string> words);

}  // namespace dmmap::testing
