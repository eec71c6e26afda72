// How it's read by programs, the servers' tests with a mount see.
#include "servers/device/status_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace dmmap::device::testing {
namespace {

TEST(StatusFile, IsThereOnceAndAsksForNothingBeforeItIsOpened) {
  DeviceFilesystem filesystem;
  unsigned asked = 0;
  const auto text = [&asked] {
    ++asked;
    return std::string("busy\n");
  };
  EXPECT_FALSE(filesystem.node_of("status"));
  ASSERT_TRUE(add_status_file(filesystem, text));
  EXPECT_TRUE(filesystem.node_of("status"));
  const auto again = add_status_file(filesystem, text);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, EEXIST);
  EXPECT_EQ(asked, 0U);
}

}  // namespace
}  // namespace dmmap::device::testing
