#include "programs/capturers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "support/files.h"
#include "support/process.h"

namespace dmmap::testing {

namespace {

std::string text_of(Size size) {
  return fmt::format("{}x{}", size.width, size.height);
}

std::vector<std::string> ffmpeg(std::vector<std::string> words) {
  words.insert(words.begin(), {"ffmpeg", "-nostdin", "-loglevel", "error", "-y"});
  return words;
}

}  // namespace

std::string ffmpeg_format(const std::string& format) {
  static const std::map<std::string, std::string> kNames{{"YUYV", "yuyv422"}, {"UYVY", "uyvy422"}, {"NV12", "nv12"},
                                                         {"YU12", "yuv420p"}, {"RGB24", "rgb24"},  {"BGR24", "bgr24"},
                                                         {"GREY", "gray"},    {"MJPEG", "mjpeg"}};
  return kNames.at(format);
}

std::vector<std::string> ffmpeg_capture(const std::filesystem::path& video, const std::string& format, Size size,
                                        std::size_t count, const std::filesystem::path& into) {
  return ffmpeg({"-f", "v4l2", "-input_format", ffmpeg_format(format), "-video_size", text_of(size), "-i", video,
                 "-frames:v", std::to_string(count), "-c:v", "copy", "-f", format == "MJPEG" ? "mjpeg" : "rawvideo",
                 into});
}

std::vector<std::string> ffmpeg_put(const std::filesystem::path& from, const std::string& format, Size size,
                                    unsigned rate, const std::filesystem::path& video) {
  return ffmpeg({"-re", "-f", "rawvideo", "-pix_fmt", ffmpeg_format(format), "-s", text_of(size), "-r",
                 std::to_string(rate), "-i", from, "-c:v", "copy", "-f", "v4l2", video});
}

std::string decoded(const std::filesystem::path& file, const std::string& pixels) {
  std::filesystem::path into = file;
  into += ".raw";
  const Outcome done =
      run(ffmpeg({"-i", file, "-fps_mode", "passthrough", "-pix_fmt", pixels, "-f", "rawvideo", into}), kCapturing);
  EXPECT_EQ(done.status, 0) << done.err;
  return bytes_of(into);
}

void encode(const Pictures& pictures, const std::string& pixels, Size size, const std::vector<std::string>& words,
            const std::filesystem::path& file) {
  std::filesystem::path from = file;
  from += ".raw";
  save(from, joined(pictures));
  std::vector<std::string> all{"-f", "rawvideo", "-pix_fmt", pixels, "-s", text_of(size), "-r", "25", "-i", from};
  all.insert(all.end(), words.begin(), words.end());
  all.emplace_back(file);
  const Outcome done = run(ffmpeg(all), kCapturing);
  ASSERT_EQ(done.status, 0) << done.err;
}

std::vector<std::string> by_run(std::vector<std::string> words) {
  words.insert(words.begin(), {DMMAP_PROGRAM, "run"});
  return words;
}

}  // namespace dmmap::testing
