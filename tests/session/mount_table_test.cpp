#include "transport/mount_table.h"

#include <gtest/gtest.h>

namespace dmmap::transport {
namespace {

constexpr std::string_view kTable =
    "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "30 22 0:51 / /tmp/a\\040b rw,nosuid - fuse.dmmap dmmap rw,user_id=0\n"
    "31 22 0:52 / /mnt rw - tmpfs none rw\n"
    "32 31 0:53 / /mnt rw shared:3 master:1 - fuse.other x rw\n"
    "garbage\n";

TEST(MountTableTest, FindsTheTopmostByItsPlainPath) {
  const auto spaced = find_mount_in(kTable, "/tmp/a b");
  ASSERT_TRUE(spaced);
  EXPECT_EQ(spaced->minor, 51U);
  EXPECT_EQ(spaced->type, "fuse.dmmap");
  EXPECT_EQ(find_mount_in(kTable, "/mnt")->minor, 53U);
  EXPECT_FALSE(find_mount_in(kTable, "/tmp"));
}

TEST(MountTableTest, KnowsFuse) {
  EXPECT_TRUE(is_fuse("fuse"));
  EXPECT_TRUE(is_fuse("fuse.x"));
  EXPECT_TRUE(is_fuse("fuseblk"));
  EXPECT_FALSE(is_fuse("fusectl"));
  EXPECT_FALSE(is_fuse("ext4"));
}

TEST(MountTableTest, FindsTheRoot) {
  EXPECT_TRUE(find_mount("/"));
}

}  // namespace
}  // namespace dmmap::transport
