// Notifications to the real kernel: from handlers, in order, without deadlock.
#include <dmmap/filesystem.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "mount/mounted.h"
#include "mount/remote_client.h"
#include "support/mounts.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

constexpr std::size_t kSize = 1 << 16;
constexpr NodeId kFile{2};

// One cached file, `f`, whose bytes the server holds.
class CachedFile : public Filesystem {
 public:
  void mounted(Connection& connection) override { connection_ = &connection; }
  void forget(NodeId node) override { forgotten_ += node == kFile ? 1 : 0; }
  void lookup(const LookupRequest& request, Reply<Entry> reply) override {
    if (request.name != "f" || gone_.load()) {
      reply.error(ENOENT);
      return;
    }
    ++lookups_;
    reply.ok({.node = kFile,
              .attributes = attributes(kFile),
              .entry_valid = std::chrono::hours(1),
              .attributes_valid = std::chrono::hours(1)});
  }
  void getattr(const GetattrRequest& request, Reply<AttributesReply> reply) override {
    reply.ok({attributes(request.node), std::chrono::hours(1)});
  }
  void open(const OpenRequest& /*request*/, Reply<Opened> reply) override { reply.ok({.keep_cache = true}); }
  void read(const ReadRequest& request, Reply<Data> reply) override {
    ++reads_;
    resent_ += request.resent ? 1 : 0;
    const std::lock_guard lock(lock_);
    if (keep_reads_) {
      kept_.push_back(std::move(reply));
      return;
    }
    reply.ok({std::span(bytes_).subspan(request.offset, std::min<std::size_t>(request.size, kSize - request.offset))});
  }
  void write(const WriteRequest& request, Reply<Written> reply) override {
    if (request.from_page_cache) {
      ++writebacks_;
    }
    {
      const std::lock_guard lock(lock_);
      std::copy(request.data.begin(), request.data.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(request.offset));
    }
    if (keep_writes_) {
      const std::lock_guard lock(lock_);
      kept_writes_.push_back(std::move(reply));
      return;
    }
    std::function<void()> once;
    {
      const std::lock_guard lock(lock_);
      once = std::exchange(during_write_, nullptr);
    }
    if (once) {
      once();
    }
    reply.ok({static_cast<std::uint32_t>(request.data.size())});
  }

  void set_during_write(std::function<void()> once) {
    const std::lock_guard lock(lock_);
    during_write_ = std::move(once);
  }
  std::size_t kept() {
    const std::lock_guard lock(lock_);
    return kept_.size();
  }
  Delivery answer_kept(std::size_t index) {
    const std::lock_guard lock(lock_);
    return kept_.at(index).ok({std::span(bytes_).first(4096)});
  }

  static Attributes attributes(NodeId node) {
    Attributes attributes;
    attributes.ino = node.value;
    attributes.mode = node == kRootNode ? S_IFDIR | 0755U : S_IFREG | 0666U;
    attributes.size = node == kRootNode ? 0 : kSize;
    return attributes;
  }

  Connection* connection_ = nullptr;
  std::mutex lock_;
  std::array<std::byte, kSize> bytes_{};
  std::function<void()> during_write_;
  std::atomic<int> reads_{0};
  std::atomic<int> writebacks_{0};
  std::atomic<int> lookups_{0};
  std::atomic<int> forgotten_{0};
  std::atomic<bool> gone_{false};
  std::atomic<int> resent_{0};
  std::atomic<bool> keep_reads_{false};
  std::vector<Reply<Data>> kept_;
  std::atomic<bool> keep_writes_{false};
  std::vector<Reply<Written>> kept_writes_;
};

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class NotifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    mount_.emplace(file_);
    fd_ = UniqueFd(open_file(*mount_ / "f", O_RDWR));
    ASSERT_GE(fd_.get(), 0);
  }
  void TearDown() override {
    fd_.reset();
    mount_.reset();
  }
  Notifier& notifier() { return file_.connection_->notifier(); }

  CachedFile file_;
  std::optional<Mounted> mount_;
  UniqueFd fd_;
};

TEST_F(NotifyTest, StoreIsSeenByMappings) {
  RemoteClient map(*mount_ / "f", kSize);
  EXPECT_EQ(map.load(10), 0);
  ASSERT_TRUE(notifier().store(kFile, 10, bytes_of("pushed")).wait());
  EXPECT_EQ(map.load(10), 'p');
}

TEST_F(NotifyTest, RetrieveBringsWhatAClientStored) {
  RemoteClient map(*mount_ / "f", kSize);
  for (std::size_t i = 0; i < 4; ++i) {
    map.store(100 + i, static_cast<unsigned char>("mine"[i]));
  }
  std::promise<Result<std::vector<std::byte>>> got;
  notifier().retrieve(kFile, 96, 64, [&](auto result) { got.set_value(std::move(result)); });
  auto future = got.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  const auto result = future.get();
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->size(), 64);
  EXPECT_EQ(std::memcmp(result->data() + 4, "mine", 4), 0);
  EXPECT_EQ(file_.writebacks_.load(), 0);
}

TEST_F(NotifyTest, InvalInodeWritesBackUnmapsAndTheNextTouchAsksAgain) {
  RemoteClient map(*mount_ / "f", kSize);
  map.store(0, 'd');
  const int reads = file_.reads_.load();
  ASSERT_TRUE(notifier().inval_inode(kFile, 0, 0).wait());
  EXPECT_GE(file_.writebacks_.load(), 1);
  EXPECT_EQ(map.load(0), 'd');
  EXPECT_GT(file_.reads_.load(), reads);
}

// INVAL_INODE waits for the WRITE, in which more notifications are made: nothing waits for itself.
TEST_F(NotifyTest, FromAHandlerTheyAreQueuedAndWaitingIsRefused) {
  RemoteClient map(*mount_ / "f", kSize);
  std::promise<int> refusal;
  std::promise<Completion> later;
  file_.set_during_write([&] {
    Completion stored = notifier().store(kFile, 8192, bytes_of("from a handler"));
    const auto waited = stored.wait();
    refusal.set_value(waited ? 0 : waited.error().code);
    later.set_value(stored);
  });
  map.store(0, 'd');
  ASSERT_TRUE(notifier().inval_inode(kFile, 0, 4096).wait());
  EXPECT_EQ(refusal.get_future().get(), EDEADLK);
  EXPECT_TRUE(later.get_future().get().wait());
  EXPECT_EQ(map.load(8192), 'f');
}

TEST_F(NotifyTest, ANameTakenBackIsLookedUpAgain) {
  const int lookups = file_.lookups_.load();
  struct stat status {};
  ASSERT_EQ(::stat((*mount_ / "f").c_str(), &status), 0);
  EXPECT_EQ(file_.lookups_.load(), lookups) << "cached";
  ASSERT_TRUE(notifier().inval_entry(kRootNode, "f").wait());
  ASSERT_EQ(::stat((*mount_ / "f").c_str(), &status), 0);
  EXPECT_EQ(file_.lookups_.load(), lookups + 1);
  EXPECT_EQ(notifier().inval_entry(kRootNode, "never").wait().error().code, ENOENT);
}

TEST_F(NotifyTest, ANameRemovedIsGone) {
  file_.gone_ = true;
  ASSERT_TRUE(notifier().remove(kRootNode, kFile, "f").wait());
  struct stat status {};
  EXPECT_EQ(::stat((*mount_ / "f").c_str(), &status), -1);
  EXPECT_EQ(errno, ENOENT);
}

// RESEND has the kernel send the unanswered READ again; the client gets the second copy's answer, and only that one.
TEST_F(NotifyTest, ARequestSentAgainIsAnsweredOnce) {
  if (!file_.connection_->capabilities().has(Feature::resend)) {
    DMMAP_NEEDS("sending requests again (RESEND, Linux 6.9): " +
                std::string(file_.connection_->capabilities().why_not(Feature::resend)));
  }
  file_.keep_reads_ = true;
  std::thread client([&] {
    char byte = 'x';
    EXPECT_EQ(::pread(fd_.get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 0);
  });
  ASSERT_TRUE(wait_until([&] { return file_.kept() == 1; }, std::chrono::seconds(10)));
  ASSERT_TRUE(notifier().resend().wait());
  ASSERT_TRUE(wait_until([&] { return file_.kept() == 2; }, std::chrono::seconds(10)));
  EXPECT_EQ(file_.answer_kept(0), Delivery::gone);
  EXPECT_EQ(file_.answer_kept(1), Delivery::taken);
  client.join();
  EXPECT_EQ(file_.resent_.load(), 1);
}

TEST_F(NotifyTest, WhatTheKernelHasntFailsByName) {
  const Capabilities& have = file_.connection_->capabilities();
  const auto agrees = [&](Feature feature, const Result<void>& outcome) {
    EXPECT_EQ(have.has(feature), outcome.has_value() || outcome.error().code != ENOSYS)
        << feature_name(feature) << ": " << (outcome ? "ok" : outcome.error().message);
  };
  agrees(Feature::resend, notifier().resend().wait());
  agrees(Feature::notify_inc_epoch, notifier().inc_epoch().wait());
  agrees(Feature::notify_prune, notifier().prune({kFile}).wait());
}

TEST_F(NotifyTest, NodesAreForgottenExactlyOnce) {
  struct stat status {};
  for (int i = 0; i < 10; ++i) {
    static_cast<void>(notifier().inval_entry(kRootNode, "f").wait());
    ASSERT_EQ(::stat((*mount_ / "f").c_str(), &status), 0);
  }
  EXPECT_EQ(file_.connection_->outstanding_lookups(), static_cast<std::uint64_t>(file_.lookups_.load()));
  EXPECT_EQ(file_.forgotten_.load(), 0);
  fd_.reset();
  mount_.reset();
  EXPECT_EQ(file_.forgotten_.load(), 1);
}

TEST_F(NotifyTest, AfterTheEndTheyFail) {
  Notifier& late = notifier();
  Connection& connection = *file_.connection_;
  fd_.reset();
  mount_->session().stop();
  ASSERT_TRUE(mount_->session().wait());
  EXPECT_EQ(late.inval_inode(kFile, 0, 0).wait().error().code, ENOTCONN);
  late.poll({1});
  std::promise<int> code;
  late.retrieve(kFile, 0, 10, [&](auto result) { code.set_value(result ? 0 : result.error().code); });
  EXPECT_EQ(code.get_future().get(), ENOTCONN);
  EXPECT_EQ(connection.outstanding_lookups(), 0U);
}

TEST_F(NotifyTest, RetrievesUnderWayAtTheEndAreAnsweredOnce) {
  {
    RemoteClient map(*mount_ / "f", kSize);
    map.store(0, 'x');
  }
  constexpr int kRetrieves = 500;
  std::atomic<int> brought{0};
  std::atomic<int> failed{0};
  Notifier& server = notifier();
  const auto retrieve = [&] {
    server.retrieve(kFile, 0, 4096, [&](const auto& result) {
      if (result) {
        ++brought;
      } else {
        EXPECT_TRUE(result.error().code == ENOTCONN || result.error().code == ENOENT) << result.error().message;
        ++failed;
      }
    });
  };
  for (int i = 0; i < kRetrieves; ++i) {
    retrieve();
    if (i == kRetrieves / 2) {
      fd_.reset();
      mount_->session().stop();
    }
  }
  ASSERT_TRUE(mount_->session().wait());
  // A quick server may have answered all of them before it has stopped. This one can't be.
  retrieve();
  EXPECT_EQ(brought.load() + failed.load(), kRetrieves + 1);
  EXPECT_GT(failed.load(), 0);
}

// The server of the test below: its writeback is never answered, so its INVAL_INODE hangs in the kernel.
[[noreturn]] void serve_and_hang(const std::filesystem::path& path, int ready, int go) {
  CachedFile file;
  file.keep_writes_ = true;
  SessionOptions options;
  options.mount.mountpoint = path.string();
  auto session = Session::mount(file, std::move(options));
  char byte = session ? 1 : 0;
  static_cast<void>(!::write(ready, &byte, 1));
  static_cast<void>(!::read(go, &byte, 1));
  static_cast<void>(file.connection_->notifier().inval_inode(kFile, 0, 0).wait());
  ::_exit(1);
}

TEST(KilledServerTest, AThreadThatHangsInANotificationDoesNotOutliveTheServer) {
  DMMAP_NEEDS(needs::mounting());
  const TemporaryDirectory directory;
  std::array<int, 2> ready{};
  std::array<int, 2> go{};
  ASSERT_EQ(::pipe2(ready.data(), O_CLOEXEC) + ::pipe2(go.data(), O_CLOEXEC), 0);
  const pid_t server = ::fork();
  if (server == 0) {
    serve_and_hang(directory.path(), ready[1], go[0]);
  }
  ::close(ready[1]);  // so that a server that dies early is the end of the pipe
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 1);
  const auto connection = fuse_connection_of(directory.path());
  ASSERT_TRUE(connection);
  {
    const UniqueFd fd(open_file(directory / "f", O_RDWR));
    const ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
    ASSERT_TRUE(map.ok());
    map.bytes()[0] = 'd';
    ASSERT_EQ(::write(go[1], "g", 1), 1);
    const std::string waiting = "/sys/fs/fuse/connections/" + std::to_string(*connection) + "/waiting";
    EXPECT_TRUE(wait_until(
        [&] {
          int count = 0;
          std::ifstream(waiting) >> count;
          return count > 0;
        },
        std::chrono::seconds(10)));
    ::kill(server, SIGKILL);
    int status = 0;
    const bool died =
        wait_until([&] { return ::waitpid(server, &status, WNOHANG) == server; }, std::chrono::seconds(10));
    EXPECT_TRUE(died) << "a thread of the server hangs in the kernel";
    if (!died) {
      abort_connection(*connection);
      ::waitpid(server, &status, 0);
    }
  }
  EXPECT_TRUE(wait_until([&] { return !is_mounted(directory.path()); }, std::chrono::seconds(10)));
  for (const int fd : {ready[0], go[0], go[1]}) {
    ::close(fd);
  }
}

// Many threads notify while clients fault: all of it ends.
TEST_F(NotifyTest, AStormOfThemEnds) {
  // In a process of its own: a store that waits for a writeback holds its process's memory map, which the server needs.
  const pid_t client = ::fork();
  if (client == 0) {
    const ClientMap map(fd_.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
    for (std::size_t i = 0;; i = (i + 4099) % kSize) {
      map.bytes()[i] = static_cast<unsigned char>(i);
    }
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const auto offset = static_cast<std::int64_t>(4096 * ((i + t) % 16));
        if (i % 3 == 0) {
          static_cast<void>(notifier().inval_inode(kFile, offset, 4096).wait());
        } else if (i % 3 == 1) {
          static_cast<void>(notifier().store(kFile, static_cast<std::uint64_t>(offset), bytes_of("storm")).wait());
        } else {
          std::promise<void> done;
          notifier().retrieve(kFile, static_cast<std::uint64_t>(offset), 4096, [&](const auto&) { done.set_value(); });
          done.get_future().wait();
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  ::kill(client, SIGKILL);
  int status = 0;
  EXPECT_TRUE(wait_until([&] { return ::waitpid(client, &status, WNOHANG) == client; }, std::chrono::seconds(10)));
}

}  // namespace
}  // namespace dmmap::testing
