// Pictures that are read and written (read(2), write(2)).
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "servers/camera/device/frame_reader.h"
#include "servers/camera/device/frame_writer.h"

namespace dmmap::camera {
namespace {

std::vector<std::byte> counted(std::size_t size, int first) {
  std::vector<std::byte> bytes(size);
  std::generate(bytes.begin(), bytes.end(), [&first] { return static_cast<std::byte>(first++); });
  return bytes;
}
void put(FrameReader& reader, const std::vector<std::byte>& picture) {
  const auto room = reader.claim();
  ASSERT_GE(room.size(), picture.size());
  std::copy(picture.begin(), picture.end(), room.begin());
  reader.finish(picture.size());
}

TEST(FrameReader, GivesAPictureInPartsAndNeverTwoAtOnce) {
  FrameReader reader(100);
  EXPECT_FALSE(reader.ready());
  put(reader, counted(100, 0));
  put(reader, counted(60, 50));
  ASSERT_TRUE(reader.ready());
  EXPECT_EQ(reader.take(30), counted(30, 0));
  EXPECT_EQ(reader.take(1), counted(1, 30));
  EXPECT_EQ(reader.take(1000), counted(69, 31));
  EXPECT_EQ(reader.take(1000), counted(60, 50)) << "only what it has";
  EXPECT_FALSE(reader.ready());
}

TEST(FrameReader, HasRoomForThreeThatNobodyHasRead) {
  FrameReader reader(10);
  for (int i = 0; i < 3; ++i) {
    put(reader, counted(10, i));
  }
  EXPECT_TRUE(reader.claim().empty());
  reader.finish(5);  // of one that there was no room for
  EXPECT_EQ(reader.take(9), counted(9, 0));
  EXPECT_TRUE(reader.claim().empty()) << "its last byte is still to be read";
  EXPECT_EQ(reader.take(9), counted(1, 9));
  put(reader, counted(10, 3));
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(reader.take(10), counted(10, i));
  }
}

TEST(FrameReader, ABrokenPictureIsLeftOut) {
  FrameReader reader(10);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(reader.claim().size(), 10U);
    reader.finish(std::nullopt);
  }
  ASSERT_FALSE(reader.claim().empty());
  reader.finish(0);
  EXPECT_FALSE(reader.ready());
}

TEST(FrameReader, AReadOfNothingTakesNothing) {
  FrameReader reader(10);
  put(reader, counted(10, 0));
  EXPECT_TRUE(reader.take(0).empty());
  EXPECT_EQ(reader.take(10), counted(10, 0));
}

// Behind a picture there's room.
std::vector<std::byte> part_of(const std::vector<std::byte>& bytes, std::size_t count) {
  EXPECT_GT(bytes.size(), count);
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST(FrameWriter, APictureIsWholeWhenAllItsBytesHaveCome) {
  FrameWriter writer(100);
  const auto all = counted(250, 0);
  const std::span<const std::byte> from(all);
  EXPECT_FALSE(writer.take_whole());
  EXPECT_EQ(writer.take(from.first(40)), 40U);
  EXPECT_EQ(writer.part(), 40U);
  EXPECT_FALSE(writer.take_whole());
  EXPECT_EQ(writer.take(from.subspan(40)), 60U) << "up to its end";
  EXPECT_EQ(writer.take(from.subspan(100)), 0U) << "that's the next one's";
  const auto first = writer.take_whole();
  ASSERT_TRUE(first);
  EXPECT_EQ(part_of(*first, 100), counted(100, 0));
  EXPECT_EQ(writer.part(), 0U);
  EXPECT_FALSE(writer.take_whole());
  EXPECT_EQ(writer.take(from.subspan(100)), 100U);
  const auto second = writer.take_whole();
  ASSERT_TRUE(second);
  EXPECT_EQ(part_of(*second, 100), counted(100, 100));
  EXPECT_EQ(part_of(*first, 100), counted(100, 0)) << "each has memory of its own";
  EXPECT_EQ(writer.take({}), 0U);
}

}  // namespace
}  // namespace dmmap::camera
