#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "servers/device/client.h"
#include "support/temporary_directory.h"
#include "transport/unique_fd.h"

namespace dmmap::device::testing {
namespace {

UniqueFd opened(const std::filesystem::path& path, int flags) {
  return UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600));
}

class StatusFlagsTest : public ::testing::Test {
 protected:
  StatusFlagsTest() : path_(directory_ / "video0"), first_(opened(path_, O_NONBLOCK)) {
    struct stat about {};
    EXPECT_EQ(::fstat(first_.get(), &about), 0);
    inode_ = about.st_ino;
  }
  static int nonblocking(std::optional<int> flags) { return flags ? ((*flags & O_NONBLOCK) != 0 ? 1 : 0) : -1; }
  static std::uint32_t own() { return static_cast<std::uint32_t>(::getpid()); }

  dmmap::testing::TemporaryDirectory directory_;
  std::filesystem::path path_;
  UniqueFd first_;
  std::uint64_t inode_ = 0;
};

TEST_F(StatusFlagsTest, ChangesAreSeen) {
  StatusFlags flags("video0", inode_);
  EXPECT_EQ(nonblocking(flags.of(own())), 1);
  ASSERT_EQ(::fcntl(first_.get(), F_SETFL, 0), 0);
  EXPECT_EQ(nonblocking(flags.of(own())), 0);
  ASSERT_EQ(::fcntl(first_.get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(nonblocking(flags.of(own())), 1);
}

TEST_F(StatusFlagsTest, FollowsAFileToAnotherNumber) {
  StatusFlags flags("video0", inode_);
  EXPECT_EQ(nonblocking(flags.of(own())), 1);
  const UniqueFd copy(::dup(first_.get()));
  const int number = first_.get();
  first_ = UniqueFd();
  EXPECT_EQ(nonblocking(flags.of(own())), 1);
  // The number is another file's now, of the same name.
  const auto other = directory_ / "other";
  ASSERT_TRUE(std::filesystem::create_directory(other));
  const UniqueFd another = opened(other / "video0", 0);
  EXPECT_EQ(another.get(), number);
  EXPECT_EQ(nonblocking(flags.of(own())), 1);
}

TEST_F(StatusFlagsTest, TwoThatDifferAreNotTakenForOneAnother) {
  const UniqueFd second = opened(path_, 0);
  StatusFlags flags("video0", inode_);
  EXPECT_EQ(nonblocking(flags.of(own())), -1);
  ASSERT_EQ(::fcntl(second.get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(nonblocking(flags.of(own())), 1);
}

TEST_F(StatusFlagsTest, NothingWhereThereIsNone) {
  StatusFlags flags("video0", inode_ + 1);
  EXPECT_EQ(flags.of(own()), std::nullopt);
  EXPECT_EQ(flags.of(0), std::nullopt);
  StatusFlags closed("video0", inode_);
  EXPECT_NE(closed.of(own()), std::nullopt);
  first_ = UniqueFd();
  EXPECT_EQ(closed.of(own()), std::nullopt);
}

}  // namespace
}  // namespace dmmap::device::testing
