// When a region is in use, and when the last open and mapping of it have gone.
#include <dmmap/device.h>

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "mount/mounted.h"
#include "support/mounts.h"
#include "support/proc_status.h"
#include "support/requirement.h"
#include "support/sanitizers.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

constexpr std::size_t kSize = 65536;
constexpr std::chrono::seconds kPatience{10};

class LifetimeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    region_ = *SharedRegion::create({.id = {1}, .size = kSize, .name = "lifetime"});
    region_->on_idle([this] { ++idle_; });
    ASSERT_TRUE(devices_.add({.name = "a", .size = kSize},
                             [this](const OpenRequest&) { return std::make_shared<RegionStream>(region_); }));
    mount_.emplace(devices_);
  }
  void TearDown() override { mount_.reset(); }

  [[nodiscard]] UniqueFd open() { return UniqueFd(open_file(*mount_ / "a", O_RDWR)); }
  [[nodiscard]] bool idle_becomes(int count) {
    return wait_until([&] { return idle_.load() == count; }, kPatience);
  }
  // Time in which a call that comes too early would have come.
  static void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

  std::atomic<int> idle_{0};
  std::shared_ptr<SharedRegion> region_;
  DeviceFilesystem devices_;
  std::optional<Mounted> mount_;
};

TEST_F(LifetimeTest, AnOpenFileIsUse) {
  EXPECT_FALSE(region_->in_use());
  UniqueFd fd = open();
  EXPECT_TRUE(region_->in_use());
  settle();
  EXPECT_EQ(idle_.load(), 0);
  fd.reset();
  EXPECT_TRUE(idle_becomes(1));
  EXPECT_FALSE(region_->in_use());
}

TEST_F(LifetimeTest, AMappingIsUseAfterItsFileIsClosed) {
  DMMAP_NEEDS(needs::passthrough());
  UniqueFd fd = open();
  ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  fd.reset();
  ASSERT_TRUE(wait_until([&] { return devices_.open_streams() == 0; }, kPatience)) << "RELEASE comes";
  settle();
  EXPECT_TRUE(region_->in_use());
  EXPECT_EQ(idle_.load(), 0);
  map.bytes()[0] = 1;  // and works still
  map.unmap();
  EXPECT_TRUE(idle_becomes(1));
  EXPECT_FALSE(region_->in_use());
}

TEST_F(LifetimeTest, AReadOnlyMappingIsUseToo) {
  DMMAP_NEEDS(needs::passthrough());
  UniqueFd fd(open_file(*mount_ / "a", O_RDONLY));
  ClientMap map(fd.get(), kSize, PROT_READ, MAP_SHARED);
  fd.reset();
  settle();
  EXPECT_TRUE(region_->in_use());
  EXPECT_EQ(idle_.load(), 0);
  map.unmap();
  EXPECT_TRUE(idle_becomes(1));
}

TEST_F(LifetimeTest, AForkedChildsMappingIsUseUntilItIsKilled) {
  DMMAP_NEEDS(needs::passthrough());
  UniqueFd fd = open();
  ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(fd.get());
    ::pause();
    ::_exit(0);
  }
  fd.reset();
  map.unmap();
  settle();
  EXPECT_TRUE(region_->in_use());
  EXPECT_EQ(idle_.load(), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(idle_becomes(1));
}

TEST_F(LifetimeTest, EachLifeIsToldOnce) {
  for (int life = 1; life <= 5; ++life) {
    UniqueFd one = open();
    UniqueFd two = open();
    one.reset();
    settle();
    EXPECT_EQ(idle_.load(), life - 1);
    two.reset();
    EXPECT_TRUE(idle_becomes(life));
  }
}

TEST_F(LifetimeTest, ARegionMayGoInItsOwnCall) {
  region_->on_idle([this] {
    region_.reset();
    ++idle_;
  });
  UniqueFd fd = open();
  fd.reset();
  EXPECT_TRUE(idle_becomes(1));
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) {
    ++count;
  }
  ::closedir(folder);
  return count;
}

std::size_t resident_kib() {
  return proc_status("self", "VmRSS:");
}

// Each open with a region, thus a memfd, a backing and a mapping of the server's, of its own.
TEST(LifetimeLongTest, AHundredThousandOpensLeaveTheProcessAsItWas) {
  DMMAP_NEEDS(needs::passthrough());
  DeviceFilesystem devices;
  std::atomic<std::uint64_t> next{1};
  ASSERT_TRUE(devices.add({.name = "a", .size = 4096}, [&](const OpenRequest&) {
    return std::make_shared<RegionStream>(*SharedRegion::create({.id = {next++}, .size = 4096, .name = "many"}));
  }));
  SessionOptions options;
  options.log = [](LogLevel, const std::string&) {};
  TemporaryDirectory directory;
  options.mount.mountpoint = directory.path().string();
  auto session = Session::mount(devices, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  const auto path = directory / "a";
  const auto cycle = [&](int count) {
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < count / 2; ++i) {
          const UniqueFd fd(open_file(path, O_RDWR));
          failures += fd.get() < 0 ? 1 : 0;
        }
      });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(failures.load(), 0);
    EXPECT_TRUE(wait_until([&] { return devices.open_streams() == 0; }, kPatience));
  };
  {
    // A mapping that outlives its open has the process's one monitor started, if nothing has yet: it has descriptors.
    UniqueFd fd(open_file(path, O_RDWR));
    const ClientMap map(fd.get(), 4096, PROT_READ, MAP_SHARED);
    ASSERT_TRUE(map.ok());
    fd.reset();
    EXPECT_TRUE(wait_until([&] { return devices.open_streams() == 0; }, kPatience));
  }
  cycle(2000);
  const std::size_t descriptors = open_descriptors();
  const std::size_t memory = resident_kib();
  cycle(100000);
  EXPECT_TRUE(wait_until([&] { return open_descriptors() == descriptors; }, kPatience))
      << open_descriptors() << " descriptors, " << descriptors << " before";
  // The address sanitizer keeps what is freed for a while, and finds real leaks itself.
  if (!kAddressSanitizer) {
    EXPECT_LT(resident_kib(), memory + 8192) << memory << " KiB before";
  }
  // Nor does the kernel keep nodes: what is cached goes when it's asked to.
  std::ofstream("/proc/sys/vm/drop_caches") << "2";
  EXPECT_TRUE(wait_until([&] { return session->connection().outstanding_lookups() <= 4; }, kPatience))
      << session->connection().outstanding_lookups() << " lookups";
}

}  // namespace
}  // namespace dmmap::testing
