// Y4M that isn't: whatever comes, a source reads it to an end.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "camera/pipe_support.h"
#include "servers/camera/sources/rates.h"
#include "servers/camera/sources/y4m_header.h"
#include "support/generators.h"
#include "support/temporary_directory.h"

namespace dmmap::camera {
namespace {

// Whatever the bytes are, there's an end: no more pictures than there are bytes for, and then an error.
void read_to_the_end(const std::string& bytes, const testing::TemporaryDirectory& folder) {
  const std::string file = folder / "garbage";
  std::ofstream(file, std::ios::binary) << bytes;
  const auto source =
      open_source({SourceChoice::Kind::y4m, file}, {.rate = Rate{1000, 1}}, [](LogLevel, const std::string&) {});
  if (!source) {
    RC_ASSERT(source.error().code == EPROTO);
    return;
  }
  (*source)->begin();
  for (std::size_t i = 0; i <= bytes.size() / 128; ++i) {
    if (const auto shot = (*source)->next(); !shot) {
      RC_ASSERT((shot.error().code == EPROTO || shot.error().code == ENODATA));
      return;
    }
  }
  RC_FAIL("there are too many pictures in that");
}

RC_GTEST_PROP(PipeSourceGarbage, HasAnEnd, ()) {
  const testing::TemporaryDirectory folder;
  const auto tail = *rc::gen::arbitrary<std::string>();
  read_to_the_end(tail, folder);
  read_to_the_end(std::string(kHeader) + tail, folder);
}

RC_GTEST_PROP(PipeSourceGarbage, ADamagedStreamHasAnEnd, ()) {
  const testing::TemporaryDirectory folder;
  std::string bytes = "YUV4MPEG2 W16 H16 F1000:1 Cmono\n" + y4m_frame(0, 256) + y4m_frame(1, 256) + y4m_frame(2, 256);
  const auto damages = *testing::in_range(1, 6);
  for (int i = 0; i < damages; ++i) {
    const auto at = *testing::in_range<std::size_t>(0, bytes.size());
    switch (*testing::in_range(0, 4)) {
      case 0:
        bytes[at] = *rc::gen::arbitrary<char>();
        break;
      case 1:
        bytes.erase(at, *testing::in_range<std::size_t>(1, 300));
        break;
      case 2:
        bytes.insert(at, *rc::gen::element<std::string>("FRAME", "\n", "YUV4MPEG2", " W", "9", " "));
        break;
      default:
        bytes.resize(at + 1);
    }
  }
  read_to_the_end(bytes, folder);
}

RC_GTEST_PROP(Y4mHeader, WhatIsTakenCanBeRead, ()) {
  const auto piece = rc::gen::element<std::string>(" W", " H", " F", " C", "32", "4096", "0", ":", "1", "420", "jpeg",
                                                   "mono", " X", "-", "4294967296", " ", "COLORRANGE=FULL");
  std::string line(kY4mMagic);
  for (const std::string& each : *rc::gen::container<std::vector<std::string>>(piece)) {
    line += each;
  }
  const auto header = parse_y4m_header(line);
  if (!header) {
    RC_ASSERT(header.error().code == EPROTO);
    return;
  }
  RC_ASSERT(header->size.width >= kLeastSide && header->size.width <= kMostSide);
  RC_ASSERT(header->size.height >= kLeastSide && header->size.height <= kMostSide);
  RC_ASSERT(!header->rate || sensible(*header->rate));
  RC_ASSERT(header->av_format >= 0);
}

}  // namespace
}  // namespace dmmap::camera
