// A mount of `dmmap store`, as POSIX has file systems, by system calls.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>
#include <set>

#include "programs/store_server.h"
#include "support/mounts.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

using ::testing::HasSubstr;

// -1 with the error where a call fails.
int code_of(long result) {
  return result >= 0 ? 0 : errno;
}

class StoreFiles : public StoreServerTest {
 protected:
  void SetUp() override {
    StoreServerTest::SetUp();
    if (server_ && server_->ready()) {
      folder_ = ::open(server_->mountpoint().c_str(), O_RDONLY | O_DIRECTORY);
      ASSERT_GE(folder_, 0);
    }
  }
  void TearDown() override {
    if (folder_ >= 0) {
      ::close(folder_);
    }
    StoreServerTest::TearDown();
  }
  [[nodiscard]] int file(const std::string& name, int flags = O_RDWR | O_CREAT) const {
    return ::openat(folder_, name.c_str(), flags, 0644);
  }
  [[nodiscard]] struct stat status(const std::string& name) const {
    struct stat found {};
    EXPECT_EQ(::fstatat(folder_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW), 0) << name;
    return found;
  }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> found;
    DIR* const directory = ::fdopendir(::openat(folder_, ".", O_RDONLY | O_DIRECTORY));
    while (const dirent* const entry = ::readdir(directory)) {
      EXPECT_TRUE(found.insert(entry->d_name).second) << entry->d_name << " came twice";
    }
    ::closedir(directory);
    found.erase(".");
    found.erase("..");
    return found;
  }

  int folder_ = -1;
};

TEST_F(StoreFiles, NamesAreBytes) {
  const std::string longest(255, 'n');
  const std::string odd = "\xff\xfe \n\x01";
  EXPECT_EQ(code_of(::close(file(longest))), 0);
  EXPECT_EQ(code_of(::close(file(odd))), 0);
  EXPECT_EQ(code_of(file(longest + "n")), ENAMETOOLONG);
  EXPECT_EQ(code_of(::mkdirat(folder_, (longest + "n").c_str(), 0755)), ENAMETOOLONG);
  EXPECT_EQ(code_of(::renameat(folder_, odd.c_str(), folder_, (longest + "n").c_str())), ENAMETOOLONG);
  EXPECT_THAT(names(), ::testing::ElementsAre(longest, odd));
}

TEST_F(StoreFiles, OffsetsReachToTheLast) {
  constexpr off_t kLast = std::numeric_limits<off_t>::max();
  const int far = file("far");
  EXPECT_EQ(code_of(::ftruncate(far, off_t{8} << 40U)), 0);
  EXPECT_EQ(::pwrite(far, "x", 1, (off_t{8} << 40U) - 1), 1);
  EXPECT_EQ(::fsync(far), 0);
  EXPECT_TRUE(wait_until([this] { return status("far").st_blocks == 8; }, std::chrono::seconds{5}));
  EXPECT_EQ(::pwrite(far, "y", 1, kLast - 4096), 1);
  EXPECT_EQ(code_of(::pwrite(far, "z", 1, kLast)), EINVAL);  // the kernel's own (fs/read_write.c, rw_verify_area)
  EXPECT_EQ(code_of(::fallocate(far, 0, kLast - 10, 20)), EFBIG);
  EXPECT_EQ(::fsync(far), 0);
  char byte = 0;
  EXPECT_EQ(::pread(far, &byte, 1, kLast - 4096), 1);
  EXPECT_EQ(byte, 'y');
  EXPECT_EQ(::lseek(far, off_t{8} << 40U, SEEK_DATA), (kLast - 4096) / 4096 * 4096);
  EXPECT_EQ(::ftruncate(far, 0), 0);
  EXPECT_EQ(status("far").st_blocks, 0);
  ::close(far);
}

TEST_F(StoreFiles, OpenFilesOutliveTheirNames) {
  const int open = file("gone");
  EXPECT_EQ(::pwrite(open, "still here", 10, 0), 10);
  EXPECT_EQ(::unlinkat(folder_, "gone", 0), 0);
  EXPECT_EQ(::fsync(open), 0);
  std::array<char, 10> bytes{};
  EXPECT_EQ(::pread(open, bytes.data(), bytes.size(), 0), 10);
  EXPECT_EQ(std::string(bytes.data(), bytes.size()), "still here");
  struct stat found {};
  EXPECT_EQ(::fstat(open, &found), 0);
  EXPECT_EQ(found.st_nlink, 0U);
  ::close(open);

  const int unnamed = file(".", O_TMPFILE | O_RDWR);
  ASSERT_GE(unnamed, 0);
  EXPECT_EQ(::write(unnamed, "named", 5), 5);
  EXPECT_EQ(::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", unnamed).c_str(), folder_, "named", AT_SYMLINK_FOLLOW),
            0);
  ::close(unnamed);
  EXPECT_EQ(status("named").st_size, 5);
  EXPECT_THAT(names(), ::testing::ElementsAre("named"));
}

TEST_F(StoreFiles, RenamesWithAllFlags) {
  for (const char* const name : {"a", "b"}) {
    ::close(file(name));
  }
  EXPECT_EQ(::mkdirat(folder_, "d", 0755), 0);
  const auto a = status("a").st_ino;
  const auto d = status("d").st_ino;
  EXPECT_EQ(code_of(::renameat2(folder_, "a", folder_, "b", RENAME_NOREPLACE)), EEXIST);
  EXPECT_EQ(code_of(::renameat2(folder_, "a", folder_, "d", 0)), EISDIR);
  EXPECT_EQ(::renameat2(folder_, "a", folder_, "d", RENAME_EXCHANGE), 0);
  EXPECT_EQ(status("d").st_ino, a);
  EXPECT_EQ(status("a").st_ino, d);
  EXPECT_EQ(code_of(::renameat2(folder_, "a", folder_, "a/x", 0)), EINVAL);
  EXPECT_EQ(::renameat2(folder_, "b", folder_, "a/b", RENAME_WHITEOUT), 0);
  EXPECT_TRUE(S_ISCHR(status("b").st_mode));
  EXPECT_EQ(code_of(::unlinkat(folder_, "a", AT_REMOVEDIR)), ENOTEMPTY);
  EXPECT_EQ(status(".").st_nlink, 3U);
}

TEST_F(StoreFiles, KeepsAttributes) {
  const int open = file("f");
  const std::array<timespec, 2> times{timespec{1000000001, 123456789}, timespec{-5, 999999999}};
  EXPECT_EQ(::futimens(open, times.data()), 0);
  EXPECT_EQ(::fchmod(open, 04751), 0);
  EXPECT_EQ(::fchown(open, 1234, 4321), 0);
  ::close(open);
  EXPECT_EQ(::symlinkat("to/nowhere", folder_, "s"), 0);
  EXPECT_EQ(::mknodat(folder_, "device", S_IFBLK | 0600, 0x1234), 0);
  server_->end();
  ::close(folder_);
  server_->start();
  folder_ = ::open(server_->mountpoint().c_str(), O_RDONLY | O_DIRECTORY);
  const auto found = status("f");
  EXPECT_EQ(found.st_atim.tv_sec, 1000000001);
  EXPECT_EQ(found.st_atim.tv_nsec, 123456789);
  EXPECT_EQ(found.st_mtim.tv_sec, -5);
  EXPECT_EQ(found.st_mtim.tv_nsec, 999999999);
  EXPECT_EQ(found.st_mode, S_IFREG | 0751U);  // chown takes the set-user-ID bit (chown(2))
  EXPECT_EQ(found.st_uid, 1234U);
  EXPECT_EQ(found.st_gid, 4321U);
  EXPECT_EQ(status("device").st_rdev, 0x1234U);
  std::array<char, 64> target{};
  EXPECT_EQ(::readlinkat(folder_, "s", target.data(), target.size()), 10);
  EXPECT_STREQ(target.data(), "to/nowhere");
}

TEST_F(StoreFiles, KeepsExtendedAttributes) {
  const int open = file("f");
  const std::string large(65536, 'v');
  EXPECT_EQ(::fsetxattr(open, "user.a", "1", 1, XATTR_CREATE), 0);
  EXPECT_EQ(code_of(::fsetxattr(open, "user.a", "1", 1, XATTR_CREATE)), EEXIST);
  EXPECT_EQ(code_of(::fsetxattr(open, "user.b", "1", 1, XATTR_REPLACE)), ENODATA);
  EXPECT_EQ(::fsetxattr(open, "trusted.large", large.data(), large.size(), 0), 0);
  std::string value(large.size(), '\0');
  EXPECT_EQ(::fgetxattr(open, "trusted.large", value.data(), value.size()), static_cast<ssize_t>(large.size()));
  EXPECT_EQ(value, large);
  EXPECT_EQ(code_of(::fgetxattr(open, "trusted.large", value.data(), 10)), ERANGE);
  EXPECT_EQ(code_of(::fgetxattr(open, "user.none", value.data(), 10)), ENODATA);
  EXPECT_EQ(::flistxattr(open, value.data(), value.size()), 21);
  EXPECT_EQ(std::string(value.data(), 21), std::string("trusted.large\0user.a\0", 21));
  EXPECT_EQ(::fremovexattr(open, "user.a"), 0);
  EXPECT_EQ(code_of(::fremovexattr(open, "user.a")), ENODATA);
  ::close(open);
}

TEST_F(StoreFiles, PunchesZeroesAndTellsHoles) {
  const int open = file("f");
  const std::string bytes(40960, 'b');
  EXPECT_EQ(::pwrite(open, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(::lseek(open, 0, SEEK_HOLE), 40960) << "what isn't written back yet is no hole";
  EXPECT_EQ(::fallocate(open, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4000, 8388), 0);
  EXPECT_EQ(::lseek(open, 0, SEEK_HOLE), 4096);
  EXPECT_EQ(::lseek(open, 5000, SEEK_DATA), 12288);
  EXPECT_EQ(::fallocate(open, FALLOC_FL_ZERO_RANGE, 36864, 8192), 0);
  EXPECT_EQ(status("f").st_size, 45056);
  EXPECT_EQ(::lseek(open, 12288, SEEK_HOLE), 36864);
  EXPECT_EQ(code_of(::lseek(open, 36864, SEEK_DATA)), ENXIO);
  EXPECT_EQ(::fallocate(open, 0, 0, 50000), 0);
  EXPECT_EQ(status("f").st_size, 50000);
  EXPECT_EQ(code_of(::fallocate(open, FALLOC_FL_COLLAPSE_RANGE, 0, 4096)), EOPNOTSUPP);
  std::string read(bytes.size(), 'x');
  EXPECT_EQ(::pread(open, read.data(), read.size(), 0), static_cast<ssize_t>(read.size()));
  std::string wanted = bytes;
  wanted.replace(4000, 8388, 8388, '\0');
  wanted.replace(36864, 4096, 4096, '\0');
  EXPECT_TRUE(read == wanted);
  ::close(open);
}

TEST_F(StoreFiles, LocksKeepOthersOut) {
  const int open = file("f");
  const int other = file("f");
  EXPECT_EQ(::flock(open, LOCK_EX), 0);
  EXPECT_EQ(code_of(::flock(other, LOCK_EX | LOCK_NB)), EWOULDBLOCK);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_start = 100;
  lock.l_len = 10;
  EXPECT_EQ(::fcntl(open, F_OFD_SETLK, &lock), 0);
  lock.l_start = 109;
  EXPECT_EQ(code_of(::fcntl(other, F_OFD_SETLK, &lock)), EAGAIN);
  lock.l_start = 110;
  EXPECT_EQ(::fcntl(other, F_OFD_SETLK, &lock), 0);
  ::close(open);
  EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  ::close(other);
}

TEST_F(StoreFiles, ListsWhatStaysWhateverGoes) {
  constexpr unsigned kFiles = 5000;
  for (unsigned each = 0; each < kFiles; ++each) {
    ASSERT_EQ(::close(file(fmt::format("n{}", each), O_WRONLY | O_CREAT)), 0);
  }
  EXPECT_EQ(names().size(), kFiles);
  DIR* const directory = ::fdopendir(::openat(folder_, ".", O_RDONLY | O_DIRECTORY));
  std::set<std::string> seen;
  unsigned removed = 0;
  while (const dirent* const entry = ::readdir(directory)) {
    EXPECT_TRUE(seen.insert(entry->d_name).second) << entry->d_name << " came twice";
    // Those with an odd number go, some before they're listed and some after.
    for (unsigned some = 0; some < 2 && removed < kFiles / 2; ++some, ++removed) {
      EXPECT_EQ(::unlinkat(folder_, fmt::format("n{}", 2 * removed + 1).c_str(), 0), 0);
    }
  }
  ::closedir(directory);
  for (unsigned each = 0; each < kFiles; each += 2) {
    EXPECT_TRUE(seen.contains(fmt::format("n{}", each)));
  }
  EXPECT_EQ(names().size(), kFiles / 2);
}

TEST_F(StoreFiles, OthersGetInAsModesSay) {
  ::close(file("mine"));
  EXPECT_EQ(::fchmodat(folder_, "mine", 0600, 0), 0);
  ASSERT_EQ(::chmod(server_->directory().c_str(), 0711), 0);
  ProcessOptions nobody;
  nobody.user = 65534;
  const Outcome refused = run({"cat", server_->mountpoint() / "mine"}, std::chrono::seconds{10}, nobody);
  EXPECT_THAT(refused.err, HasSubstr("Permission denied"));
  EXPECT_EQ(::fchmodat(folder_, "mine", 0604, 0), 0);
  EXPECT_EQ(run({"cat", server_->mountpoint() / "mine"}, std::chrono::seconds{10}, nobody).status, 0);
}

}  // namespace
}  // namespace dmmap::testing
