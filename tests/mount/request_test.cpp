// Requests that wait: interrupts, polls, clients that die, replies that are kept, dropped or late.
#include <dmmap/device.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "mount/mounted.h"
#include "support/mounts.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kPatience{10};

// A device whose read waits until the test, or a signal, ends it.
class WaitingDevice {
 public:
  WaitingDevice() = default;
  WaitingDevice(const WaitingDevice&) = delete;
  WaitingDevice& operator=(const WaitingDevice&) = delete;
  class Waiting : public Stream {
   public:
    explicit Waiting(WaitingDevice& device) : device_(device) {}
    void read(const ReadRequest& /*request*/, Reply<Data> reply) override {
      const std::lock_guard lock(device_.lock_);
      device_.waiting_.emplace(std::move(reply));
      // The callback may come at once, so it must find the Reply where it is kept.
      device_.waiting_->on_interrupt([this] { device_.interrupted(); });
    }
    void write(const WriteRequest& /*request*/, Reply<Written> /*reply*/) override {}  // drops it
    std::uint32_t poll(std::uint32_t events) override { return device_.ready_.load() & events; }
    void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) override {
      if (request.command != _IOWR('t', 1, int)) {
        reply.error(ENOTTY);
        return;
      }
      int value = 0;
      std::memcpy(&value, request.input.data(), sizeof value);
      value *= 2;
      reply.ok({7, std::as_bytes(std::span(&value, 1))});
    }
    void become_ready() {
      device_.ready_ = POLLIN;
      wake_pollers();
    }

   private:
    WaitingDevice& device_;
  };

  void interrupted() {
    ++interrupts_;
    // Not from under the lock that read() may hold on this very thread.
    interrupter_ = std::thread([this] {
      const std::lock_guard lock(lock_);
      if (waiting_ && waiting_->pending()) {
        waiting_->error(EINTR);
      }
      waiting_.reset();
    });
  }
  ~WaitingDevice() {
    if (interrupter_.joinable()) {
      interrupter_.join();
    }
  }
  void answer() {
    const std::lock_guard lock(lock_);
    waiting_->ok({std::as_bytes(std::span("late", 4))});
    waiting_.reset();
  }
  [[nodiscard]] std::shared_ptr<Waiting> last() {
    const std::lock_guard lock(lock_);
    return std::exchange(last_, nullptr);
  }
  [[nodiscard]] bool has_waiting() {
    const std::lock_guard lock(lock_);
    return waiting_.has_value();
  }

  std::mutex lock_;
  std::optional<Reply<Data>> waiting_;
  std::atomic<int> interrupts_{0};
  std::atomic<std::uint32_t> ready_{0};
  std::shared_ptr<Waiting> last_;
  std::thread interrupter_;  // one: no test interrupts twice
};

class RequestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    ASSERT_TRUE(devices_.add({.name = "d", .size = 4096}, [this](const OpenRequest&) {
      // The kernel orders this before what the client does next; the lock shows it to the thread sanitizer.
      const std::lock_guard lock(device_.lock_);
      device_.last_ = std::make_shared<WaitingDevice::Waiting>(device_);
      return device_.last_;
    }));
    mount_.emplace(devices_);
  }
  void TearDown() override { mount_.reset(); }

  WaitingDevice device_;
  DeviceFilesystem devices_;
  std::optional<Mounted> mount_;
};

TEST_F(RequestTest, AReplyMayBeKeptAndAnsweredFromAnotherThread) {
  const UniqueFd fd(open_file(*mount_ / "d", O_RDWR));
  std::thread other([&] {
    EXPECT_TRUE(wait_until([&] { return device_.has_waiting(); }, kPatience));
    device_.answer();
  });
  std::array<char, 5> text{};
  EXPECT_EQ(::read(fd.get(), text.data(), 4), 4);
  EXPECT_STREQ(text.data(), "late");
  other.join();
}

TEST_F(RequestTest, ADroppedReplyIsEioAndSaidSo) {
  const UniqueFd fd(open_file(*mount_ / "d", O_RDWR));
  EXPECT_EQ(::write(fd.get(), "x", 1), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_TRUE(wait_until(
      [&] { return mount_->log().find("a Reply to WRITE was dropped unanswered") != std::string::npos; }, kPatience))
      << mount_->log();
}

TEST_F(RequestTest, ASignalReachesTheWaitingRequest) {
  const pid_t child = ::fork();
  if (child == 0) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    const int fd = open_file(*mount_ / "d", O_RDWR);
    char byte = 0;
    ::_exit(::read(fd, &byte, 1) < 0 && errno == EINTR ? 0 : 1);
  }
  ASSERT_TRUE(wait_until([&] { return device_.has_waiting(); }, kPatience));
  ::kill(child, SIGUSR1);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(device_.interrupts_.load(), 1);
}

TEST_F(RequestTest, AKilledClientDoesNotWait) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = open_file(*mount_ / "d", O_RDWR);
    char byte = 0;
    ::_exit(static_cast<int>(::read(fd, &byte, 1)));
  }
  ASSERT_TRUE(wait_until([&] { return device_.has_waiting(); }, kPatience));
  ::kill(child, SIGKILL);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(wait_until([&] { return devices_.open_streams() == 0; }, kPatience));
}

TEST_F(RequestTest, PollWakesWhenTheDeviceSaysSo) {
  const UniqueFd fd(open_file(*mount_ / "d", O_RDWR));
  pollfd wanted{fd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&wanted, 1, 50), 0);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    device_.last()->become_ready();
  });
  EXPECT_EQ(::poll(&wanted, 1, 10000), 1);
  EXPECT_EQ(wanted.revents, POLLIN);
  other.join();
}

TEST_F(RequestTest, IoctlsCarryTheirData) {
  const UniqueFd fd(open_file(*mount_ / "d", O_RDWR));
  int value = 21;
  EXPECT_EQ(::ioctl(fd.get(), _IOWR('t', 1, int), &value), 7);
  EXPECT_EQ(value, 42);
  EXPECT_EQ(::ioctl(fd.get(), _IOWR('t', 2, int), &value), -1);
  EXPECT_EQ(errno, ENOTTY);
  EXPECT_EQ(::ioctl(fd.get(), _IOWR('t', 1, int), nullptr), -1);
  EXPECT_EQ(errno, EFAULT);
}

TEST_F(RequestTest, TheEndAnswersWhoeverWaits) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = open_file(*mount_ / "d", O_RDWR);
    char byte = 0;
    ::_exit(::read(fd, &byte, 1) < 0 ? errno : 0);
  }
  ASSERT_TRUE(wait_until([&] { return device_.has_waiting(); }, kPatience));
  mount_->end();
  int status = -1;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_TRUE(WEXITSTATUS(status) == ENOTCONN || WEXITSTATUS(status) == ECONNABORTED) << WEXITSTATUS(status);
  // The Reply that is still kept answers nobody, harmlessly.
  const std::lock_guard lock(device_.lock_);
  ASSERT_TRUE(device_.waiting_);
  EXPECT_EQ(device_.waiting_->error(EINTR), Delivery::gone);
}

TEST_F(RequestTest, TheDirectoryIsAsListedAndNothingElse) {
  ASSERT_TRUE(devices_.add({.name = "later", .mode = 0640, .uid = 3, .gid = 4, .size = 10},
                           [](const OpenRequest&) { return std::make_shared<Stream>(); }));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(mount_->path())) {
    names.push_back(entry.path().filename());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"d", "later"}));
  struct stat status {};
  ASSERT_EQ(::stat((*mount_ / "later").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0640U);
  EXPECT_EQ(status.st_uid, 3U);
  EXPECT_EQ(status.st_gid, 4U);
  EXPECT_EQ(status.st_size, 10);
  EXPECT_EQ(open_file(*mount_ / "missing", O_RDONLY), -ENOENT);
  EXPECT_LT(open_file(*mount_ / "new", O_RDWR | O_CREAT), 0);
  EXPECT_EQ(::unlink((*mount_ / "d").c_str()), -1);
  EXPECT_EQ(devices_.add({.name = "d"}, nullptr).error().code, EEXIST);
  EXPECT_EQ(devices_.add({.name = "a/b"}, nullptr).error().code, EINVAL);
  EXPECT_EQ(devices_.add({.name = ""}, nullptr).error().code, EINVAL);
}

TEST_F(RequestTest, TheTraceNamesRequestsAndRepliesWithTheirLatency) {
  {
    const UniqueFd fd(open_file(*mount_ / "d", O_RDWR | O_NONBLOCK));
    static_cast<void>(::ioctl(fd.get(), _IO('t', 9)));
  }
  ASSERT_TRUE(wait_until([&] { return mount_->trace().find("RELEASE =") != std::string::npos; }, kPatience));
  const std::string trace = mount_->trace();
  for (const char* part : {"LOOKUP node 1", "\"d\"", "OPEN", "O_NONBLOCK", "IOCTL", "ENOTTY", " us)", "RELEASE"}) {
    EXPECT_NE(trace.find(part), std::string::npos) << part << " in\n" << trace;
  }
}

TEST_F(RequestTest, ManyThreadsServeManyClients) {
  SessionOptions options;
  options.threads = 4;
  DeviceFilesystem devices;
  ASSERT_TRUE(devices.add({.name = "m", .size = 4096},
                          [this](const OpenRequest&) { return std::make_shared<WaitingDevice::Waiting>(device_); }));
  const Mounted mount(devices, std::move(options));
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < 8; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const UniqueFd fd(open_file(mount / "m", O_RDWR));
        int value = t * 1000 + i;
        wrong += ::ioctl(fd.get(), _IOWR('t', 1, int), &value) == 7 && value == 2 * (t * 1000 + i) ? 0 : 1;
      }
    });
  }
  for (auto& client : clients) {
    client.join();
  }
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_TRUE(wait_until([&] { return devices.open_streams() == 0; }, kPatience));
}

}  // namespace
}  // namespace dmmap::testing
