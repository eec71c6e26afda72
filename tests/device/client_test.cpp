// The client is this very process.
#include "servers/device/client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "support/temporary_directory.h"

namespace dmmap::device::testing {
namespace {

std::uint32_t me() {
  return static_cast<std::uint32_t>(::gettid());
}
constexpr std::uint32_t kNobody = 0x7fffffff;

// As somebody sees them who looks for the first time.
std::optional<int> status_flags(std::uint32_t pid, const char* name, std::uint64_t inode) {
  return StatusFlags(name, inode).of(pid);
}

class FlagsOfFiles : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(path_) << "x"; }
  class File {
   public:
    File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) { EXPECT_GE(fd_, 0); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { ::close(fd_); }
    void set(int flags) const { EXPECT_EQ(::fcntl(fd_, F_SETFL, flags), 0); }

   private:
    int fd_;
  };
  std::uint64_t inode() const {
    struct stat about {};
    EXPECT_EQ(::stat(path_.c_str(), &about), 0);
    return about.st_ino;
  }
  // Whether O_NONBLOCK is set, where that's known.
  std::optional<bool> nonblocking() const {
    const auto flags = status_flags(me(), "video0", inode());
    return flags ? std::optional((*flags & O_NONBLOCK) != 0) : std::nullopt;
  }

  dmmap::testing::TemporaryDirectory folder_;
  std::string path_ = folder_ / "video0";
};

TEST_F(FlagsOfFiles, AreThoseOfNow) {
  const File file(path_, O_RDWR);
  EXPECT_EQ(nonblocking(), false);
  EXPECT_EQ(status_flags(me(), "video0", inode()).value_or(0) & O_ACCMODE, O_RDWR);
  file.set(O_NONBLOCK);
  EXPECT_EQ(nonblocking(), true);
  file.set(0);
  EXPECT_EQ(nonblocking(), false);
}

TEST_F(FlagsOfFiles, AreNotKnownOfFilesThatDiffer) {
  const File one(path_, O_RDWR);
  const File other(path_, O_RDWR);
  EXPECT_EQ(nonblocking(), false) << "both are the same";
  other.set(O_NONBLOCK);
  EXPECT_EQ(nonblocking(), std::nullopt);
  one.set(O_NONBLOCK);
  EXPECT_EQ(nonblocking(), true);
}

TEST_F(FlagsOfFiles, AreNotThoseOfOtherFiles) {
  EXPECT_EQ(nonblocking(), std::nullopt) << "it isn't open";
  const File file(path_, O_RDWR);
  std::ofstream(folder_ / "video1") << "x";
  const File name(folder_ / "video1", O_RDWR | O_NONBLOCK);
  std::filesystem::create_directory(folder_ / "other");
  std::ofstream(folder_ / "other" / "video0") << "x";
  const File inode_of_its_own(folder_ / "other" / "video0", O_RDWR | O_NONBLOCK);
  EXPECT_EQ(nonblocking(), false);
  EXPECT_EQ(status_flags(me(), "video", inode()), std::nullopt);
  EXPECT_EQ(status_flags(me(), "video0", 0), std::nullopt);
}

TEST_F(FlagsOfFiles, AreNotKnownOfNobody) {
  const File file(path_, O_RDWR);
  EXPECT_EQ(status_flags(0, "video0", inode()), std::nullopt);
  EXPECT_EQ(status_flags(kNobody, "video0", inode()), std::nullopt);
}

TEST(ProgramOf, IsTheThreadsName) {
  std::string name;
  std::thread([&name] {
    ::prctl(PR_SET_NAME, "a name (odd");
    name = program_of(me());
  }).join();
  EXPECT_EQ(name, "a name (odd");
  EXPECT_EQ(program_of(0), "?");
  EXPECT_EQ(program_of(kNobody), "?");
}

class ClientMemory : public ::testing::Test {
 protected:
  template <class T>
  static std::uint64_t address(T* of) {
    return reinterpret_cast<std::uint64_t>(of);
  }
};

TEST_F(ClientMemory, IsReadAndWritten) {
  std::array<std::byte, 3> there{std::byte{1}, std::byte{2}, std::byte{3}};
  std::array<std::byte, 3> here{};
  ASSERT_TRUE(read_client(me(), address(&there), here));
  EXPECT_EQ(here, there);
  here[1] = std::byte{9};
  ASSERT_TRUE(write_client(me(), address(&there), here));
  EXPECT_EQ(there, here);
  EXPECT_TRUE(read_client(me(), address(&there), {})) << "nothing is always there";
}

TEST_F(ClientMemory, ThatIsNotThereIsAFault) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const two = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(two, MAP_FAILED);
  ASSERT_EQ(::munmap(static_cast<std::byte*>(two) + page, page), 0);
  std::array<std::byte, 8> here{};
  const std::uint64_t end = address(two) + page;
  EXPECT_TRUE(read_client(me(), end - here.size(), here));
  EXPECT_EQ(read_client(me(), end - 4, here).error().code, EFAULT) << "half of it is";
  EXPECT_EQ(read_client(me(), 0, here).error().code, EFAULT);
  EXPECT_EQ(read_client(me(), ~std::uint64_t{0}, here).error().code, EFAULT);
  EXPECT_EQ(write_client(me(), end - 4, here).error().code, EFAULT);
  ASSERT_EQ(::mprotect(two, page, PROT_READ), 0);
  EXPECT_EQ(write_client(me(), address(two), here).error().code, EFAULT) << "it can only be read";
  ::munmap(two, page);
}

TEST_F(ClientMemory, OfNobodyIsNotLookedFor) {
  std::array<std::byte, 8> here{};
  EXPECT_EQ(read_client(0, address(&here), here).error().code, ESRCH);
  EXPECT_EQ(write_client(0, address(&here), here).error().code, ESRCH);
  EXPECT_EQ(read_client(kNobody, address(&here), here).error().code, ESRCH);
}

}  // namespace
}  // namespace dmmap::device::testing
