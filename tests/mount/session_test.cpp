// Mounting and unmounting: what can go wrong, and how it ends.
#include <dmmap/device.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "mount/mounted.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

SessionOptions at(const std::filesystem::path& path) {
  SessionOptions options;
  options.mount.mountpoint = path.string();
  options.log = [](LogLevel, const std::string&) {};
  return options;
}

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::mounting()); }
  Error refusal(const std::filesystem::path& path) {
    auto session = Session::mount(devices_, at(path));
    EXPECT_FALSE(session);
    return session ? Error{} : session.error();
  }

  TemporaryDirectory directory_;
  DeviceFilesystem devices_;
};

TEST_F(SessionTest, AMountPointThatIsNotThereOrNoDirectoryIsRefusedWithAdvice) {
  const Error missing = refusal(directory_ / "missing");
  EXPECT_EQ(missing.code, ENOENT);
  EXPECT_NE(missing.message.find("mkdir -p"), std::string::npos) << missing.message;
  std::ofstream(directory_ / "file") << "x";
  const Error file = refusal(directory_ / "file");
  EXPECT_EQ(file.code, ENOTDIR);
  EXPECT_NE(file.message.find("name an existing directory"), std::string::npos) << file.message;
  EXPECT_EQ(refusal("").code, EINVAL);
}

TEST_F(SessionTest, TwoServersOnOneMountPointAreRefused) {
  auto first = Session::mount(devices_, at(directory_.path()));
  ASSERT_TRUE(first) << first.error().message;
  DeviceFilesystem others;
  const auto second = Session::mount(others, at(directory_.path()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EBUSY);
  EXPECT_NE(second.error().message.find("choose another directory"), std::string::npos) << second.error().message;
  // Nor by another way to the same folder.
  std::filesystem::path link = directory_.path();
  link += "-link";
  std::filesystem::create_symlink(directory_.path(), link);
  EXPECT_EQ(refusal(link).code, EBUSY);
  std::filesystem::remove(link);
  EXPECT_TRUE(is_mounted(directory_.path()));
}

TEST_F(SessionTest, AStaleMountIsRefusedWithAdvice) {
  SessionOptions options = at(directory_.path());
  options.watcher = false;
  auto session = Session::mount(devices_, std::move(options));
  ASSERT_TRUE(session);
  // As a server without a watcher leaves it that dies: a mount whose connection is gone.
  const TemporaryDirectory elsewhere;
  ASSERT_EQ(::mount(directory_.path().c_str(), elsewhere.path().c_str(), nullptr, MS_BIND, nullptr), 0);
  session->stop();
  ASSERT_TRUE(session->wait());
  const Error stale = refusal(elsewhere.path());
  EXPECT_EQ(stale.code, EBUSY);
  EXPECT_NE(stale.message.find("umount -l"), std::string::npos) << stale.message;
}

TEST_F(SessionTest, OptionsOutOfRangeAreRefused) {
  SessionOptions none = at(directory_.path());
  none.threads = 0;
  EXPECT_EQ(Session::mount(devices_, std::move(none)).error().code, EINVAL);
  SessionOptions huge = at(directory_.path());
  huge.max_write = 1 << 30;
  EXPECT_EQ(Session::mount(devices_, std::move(huge)).error().code, EINVAL);
  EXPECT_FALSE(is_mounted(directory_.path()));
}

TEST_F(SessionTest, UmountBySomeoneElseEndsIt) {
  auto session = Session::mount(devices_, at(directory_.path()));
  ASSERT_TRUE(session);
  std::thread other([&] { EXPECT_EQ(::umount2(directory_.path().c_str(), 0), 0); });
  EXPECT_TRUE(session->wait());
  other.join();
  EXPECT_FALSE(is_mounted(directory_.path()));
}

TEST_F(SessionTest, AnAbortedConnectionEndsItAndUnmounts) {
  auto session = Session::mount(devices_, at(directory_.path()));
  ASSERT_TRUE(session);
  const auto connection = fuse_connection_of(directory_.path());
  ASSERT_TRUE(connection);
  ASSERT_TRUE(abort_connection(*connection));
  EXPECT_TRUE(session->wait());
  EXPECT_FALSE(is_mounted(directory_.path()));
}

TEST_F(SessionTest, SignalsEndItAndHangupDoesNot) {
  for (const int number : {SIGINT, SIGTERM}) {
    auto session = Session::mount(devices_, at(directory_.path()));
    ASSERT_TRUE(session) << session.error().message;
    std::atomic<int> hangups{0};
    struct sigaction harmless {};
    harmless.sa_handler = [](int) {};
    struct sigaction former {};
    ::sigaction(SIGHUP, &harmless, &former);
    std::thread other([&] {
      // The session's handlers are in place once a SIGHUP has reached it; until then it does nothing here.
      while (hangups.load() == 0) {
        ::kill(::getpid(), SIGHUP);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      ::kill(::getpid(), number);
    });
    EXPECT_TRUE(session->wait_or_signal([&] { ++hangups; }));
    other.join();
    ::sigaction(SIGHUP, &former, nullptr);
    EXPECT_FALSE(is_mounted(directory_.path()));
    EXPECT_GT(hangups.load(), 0);
  }
}

TEST_F(SessionTest, ABusyMountIsGoneFromItsPlaceAtOnceAndEndsAfterTheGrace) {
  auto region = *SharedRegion::create({.id = {1}, .size = 4096, .name = "busy"});
  ASSERT_TRUE(devices_.add({.name = "a", .size = 4096}, [](const OpenRequest&) { return std::make_shared<Stream>(); }));
  SessionOptions options = at(directory_.path());
  options.unmount_grace = std::chrono::milliseconds(300);
  auto session = Session::mount(devices_, std::move(options));
  ASSERT_TRUE(session);
  const UniqueFd fd(open_file(directory_ / "a", O_RDWR));
  ASSERT_GE(fd.get(), 0);
  session->stop();
  ASSERT_TRUE(session->wait());
  EXPECT_FALSE(is_mounted(directory_.path()));
  char byte = 0;
  EXPECT_EQ(::read(fd.get(), &byte, 1), -1);
  EXPECT_TRUE(errno == ENOTCONN || errno == ECONNABORTED) << errno;
}

TEST_F(SessionTest, ManyMountsInARowLeaveNothing) {
  for (int i = 0; i < 50; ++i) {
    auto session = Session::mount(devices_, at(directory_.path()));
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_TRUE(is_mounted(directory_.path()));
  }
  EXPECT_FALSE(is_mounted(directory_.path()));
}

}  // namespace
}  // namespace dmmap::testing
