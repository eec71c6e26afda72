// The same client program on a character device that the same server makes by CUSE.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "mount/cuse_device.h"
#include "preload/asked_devices.h"
#include "preload/asker.h"
#include "support/mounts.h"
#include "support/process.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kPatience{100};

/// A scenario of the client's that opens one device, and which.
struct Scenario {
  const char* name;
  const char* device;
};

class CuseTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS_CUSE(); }
  Result<Session> serve(const std::string& device, const std::string& name) {
    SessionOptions options;
    options.log = [](LogLevel /*level*/, const std::string& text) { std::cout << text << "\n"; };
    return Session::device(devices_, {.name = name, .node = devices_.node_of(device).value()}, std::move(options));
  }

  AskedDevices devices_;
};

class CuseMmapTest : public CuseTest, public ::testing::WithParamInterface<Scenario> {};

TEST_P(CuseMmapTest, TheClientFindsWhatItFindsInAMount) {
  auto session = serve(GetParam().device, GetParam().device);
  ASSERT_TRUE(session) << session.error().message;
  DMMAP_NEEDS_ASKER(Asker::kernel, session->connection());
  const std::string path = std::string("/dev/") + GetParam().device;
  ASSERT_TRUE(wait_until([&] { return ::access(path.c_str(), F_OK) == 0; }, std::chrono::seconds{10}));
  const auto client = run({DMMAP_CLIENT, GetParam().name, "/dev"}, kPatience,
                          {.environment = {"CLIENT_MAY_UNDO=1"}, .directory = {}, .user = {}});
  EXPECT_EQ(client.status, std::string(GetParam().name) == "killed" ? 128 + SIGKILL : 0) << client.err;
  EXPECT_TRUE(devices_.wait_until_all_ended()) << ::testing::PrintToString(devices_.events());
}

INSTANTIATE_TEST_SUITE_P(Kernel, CuseMmapTest,
                         ::testing::Values(Scenario{"duplex", "duplex"}, Scenario{"fresh", "fresh"},
                                           Scenario{"taken_away", "duplex"}, Scenario{"moved", "duplex"},
                                           Scenario{"by_parts", "duplex"}, Scenario{"inherited", "duplex"},
                                           Scenario{"not_inherited", "alone"}, Scenario{"killed", "duplex"},
                                           Scenario{"exec", "duplex"}, Scenario{"orders", "duplex"}),
                         [](const auto& scenario) { return std::string(scenario.param.name); });

TEST_F(CuseTest, ADeviceIsOneAndItsServersEndIsTold) {
  std::optional<Session> session;
  {
    auto served = serve("duplex", "dmmap-test-marks");
    ASSERT_TRUE(served) << served.error().message;
    session.emplace(std::move(*served));
  }
  const char* const path = "/dev/dmmap-test-marks";
  ASSERT_TRUE(wait_until([&] { return ::access(path, F_OK) == 0; }, std::chrono::seconds{10}));
  struct stat looks {};
  ASSERT_EQ(::stat(path, &looks), 0);
  EXPECT_TRUE(S_ISCHR(looks.st_mode));
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, "hello", 5), 5);
  EXPECT_TRUE(devices_.wait_for("hello"));
  EXPECT_EQ(::ioctl(fd, FIONREAD, nullptr), -1);
  EXPECT_EQ(errno, ENOTTY);
  {
    AskedDevices others;
    const auto taken =
        Session::device(others, {.name = "dmmap-test-marks", .node = others.node_of("duplex").value()}, {});
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, EEXIST) << taken.error().message;
    EXPECT_NE(taken.error().message.find("/dev/dmmap-test-marks"), std::string::npos);
  }
  session.reset();
  EXPECT_TRUE(wait_until([&] { return ::access(path, F_OK) != 0; }, std::chrono::seconds{10}));
  EXPECT_EQ(::write(fd, "gone", 4), -1);
  ::close(fd);
}

TEST_F(CuseTest, NamesThatCannotBeAreSaid) {
  for (const char* const name : {"", ".hidden", "a/b", "a b", "a\nb"}) {
    const auto none = serve("duplex", name);
    ASSERT_FALSE(none) << name;
    EXPECT_EQ(none.error().code, EINVAL) << name;
  }
}

}  // namespace
}  // namespace dmmap::testing
