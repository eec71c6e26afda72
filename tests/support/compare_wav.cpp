// compare_wav ORIGINAL CAPTURE: says how well the original is found inside the capture, and what the capture's loudest
// sample is.
//
// Exit status: 0 when every frame is there, in order; with different rates, when nothing is missing by correlation;
// 1 otherwise; 2 when a file can't be read.
#include <cstdio>
#include <exception>

#include "support/audio_compare.h"

namespace {

constexpr double kSameByCorrelation = 0.99;

int compare_files(const char* original_file, const char* capture_file) {
  using dmmap::testing::Audio;
  const Audio original = dmmap::testing::without_silence_around(dmmap::testing::read_audio(original_file));
  const Audio capture = dmmap::testing::read_audio(capture_file);
  if (original.frames() == 0 || capture.channels == 0) {
    std::fprintf(stderr, "compare_wav: %s has no sound that can be read\n",
                 original.frames() == 0 ? original_file : capture_file);
    return 2;
  }
  const dmmap::testing::Match match = dmmap::testing::compare(original, capture);
  std::printf("%s\n", dmmap::testing::describe(match, original, capture).c_str());
  std::printf("loudest sample of the capture: %d of 32768\n", dmmap::testing::peak(capture));
  const bool resampled = original.rate != capture.rate;
  return match.exact || (resampled && match.worst_block >= kSameByCorrelation) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: compare_wav ORIGINAL CAPTURE\n");
    return 2;
  }
  try {
    return compare_files(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare_wav: %s\n", error.what());
    return 2;
  }
}
