// A paged file served by a process of its own: real programs on it, little memory, and a server that is killed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iomanip>
#include <optional>
#include <sstream>
#include <string>

#include "mount/place.h"
#include "mount/remote_client.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kMebi = 1 << 20;

class PagedServerTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::mounting()); }
  void TearDown() override {
    server_.reset();
    unmount_below(mountpoint_.path());
  }

  // `before` is shell that runs in the server's process before it is the server.
  void start(std::uint64_t size, const std::string& call = "", const std::string& before = "true") {
    const std::string fifo = (folder_ / "in").string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    input_ = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);  // NOLINT(*-vararg)
    const std::string backing = (folder_ / "backing").string();
    std::vector<std::string> argv{"/bin/sh",
                                  "-c",
                                  before + "; in=$0; exec \"$@\" < \"$in\"",
                                  fifo,
                                  DMMAP_PAGED_SERVER,
                                  is_device() ? file() : mountpoint_.path().string(),
                                  backing,
                                  std::to_string(size)};
    if (!call.empty()) {
      argv.push_back(call);
    }
    server_.emplace(std::move(argv));
    ASSERT_TRUE(server_->wait_for_output("ready", kPatience)) << server_->err();
  }
  /// A character device, or a file of a mount.
  [[nodiscard]] virtual bool is_device() const { return false; }
  [[nodiscard]] std::string file() const {
    return is_device() ? "/dev/dmmap-test-server" : (mountpoint_ / "f").string();
  }

  TemporaryDirectory folder_;
  TemporaryDirectory mountpoint_;
  std::optional<Process> server_;
  int input_ = -1;
};

TEST_F(PagedServerTest, FioVerifiesWhatItMapped) {
  DMMAP_NEEDS(needs::program("fio"));
  start(64 * kMebi);
  for (const std::string pattern : {"randwrite", "write"}) {
    const Outcome fio = run({"fio", "--name=mapped", "--filename=" + file(), "--ioengine=mmap", "--rw=" + pattern,
                             "--bs=4k", "--size=64m", "--verify=crc32c", "--verify_state_save=0", "--verify_fatal=1",
                             "--do_verify=1", "--fsync=64", "--invalidate=1", "--randseed=7"},
                            std::chrono::seconds(90));
    EXPECT_EQ(fio.status, 0) << fio.out << fio.err;
    EXPECT_NE(fio.out.find("err= 0"), std::string::npos) << fio.out;
  }
}

TEST_F(PagedServerTest, FioVerifiesMixedWaysIntoTheFile) {
  DMMAP_NEEDS(needs::program("fio"));
  start(64 * kMebi);
  const Outcome fio = run({"fio", "--filename=" + file(), "--bs=4k", "--size=32m", "--rw=randrw", "--verify=crc32c",
                           "--verify_state_save=0", "--verify_fatal=1", "--randseed=9", "--name=mapped",
                           "--ioengine=mmap", "--name=written", "--ioengine=psync", "--offset=32m"},
                          std::chrono::seconds(90));
  EXPECT_EQ(fio.status, 0) << fio.out << fio.err;
}

TEST_F(PagedServerTest, StressNgVerifiesItsMappedFiles) {
  DMMAP_NEEDS(needs::program("stress-ng"));
  server_.emplace(std::vector<std::string>{DMMAP_PAGED_SERVER, mountpoint_.path().string()});
  ASSERT_TRUE(server_->wait_for_output("ready", kPatience)) << server_->err();
  const Outcome stress =
      run({"stress-ng", "--temp-path", mountpoint_.path().string(), "--mmap", "2", "--mmap-file", "--mmap-bytes", "32m",
           "--msync", "2", "--msync-bytes", "8m", "--verify", "--timeout", "10s", "--metrics-brief"},
          std::chrono::seconds(90));
  EXPECT_EQ(stress.status, 0) << stress.out << stress.err;
  EXPECT_EQ((stress.out + stress.err).find("fail"), std::string::npos) << stress.out << stress.err;
  EXPECT_NE((stress.out + stress.err).find("successful run completed"), std::string::npos) << stress.out << stress.err;
}

TEST_F(PagedServerTest, LittleMemoryAndMuchDirtyIsSlowAndNoMore) {
  // A cgroup of 256 MiB for server and clients together, and 2 GiB of stores, twice.
  std::string own;
  {
    std::ifstream list("/proc/self/cgroup");
    for (std::string line; std::getline(list, line);) {
      if (const auto at = line.find(":memory:"); at != std::string::npos) {
        own = "/sys/fs/cgroup/memory" + line.substr(at + 8);
      }
    }
  }
  const bool unified = own.empty();
  const std::string group =
      (unified ? std::string("/sys/fs/cgroup") : own) + "/dmmap-test-" + std::to_string(::getpid());
  if (::mkdir(group.c_str(), 0755) != 0) {
    DMMAP_NEEDS(std::string("a memory cgroup can't be made here"));
  }
  std::ofstream(group + (unified ? "/memory.max" : "/memory.limit_in_bytes")) << 256 * kMebi;
  // The address sanitizer keeps 256 MiB of freed memory, which is all that there is.
  const std::string enter =
      "export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=8; echo $$ > " + group + "/cgroup.procs";
  start(2048 * kMebi, "", enter);
  const Outcome client =
      run({"/bin/sh", "-c",
           enter + "; exec /usr/bin/python3 -c '\n"
                   "import mmap, sys\n"
                   "f = open(sys.argv[1], \"r+b\")\n"
                   "m = mmap.mmap(f.fileno(), 0)\n"
                   "n = len(m)\n"
                   "for turn in range(2):\n"
                   "  for at in range(0, n, 1 << 20): m[at:at + (1 << 20)] = (b\"%07d %d\" % (at >> 20, "
                   "turn)).ljust(16) * 65536\n"
                   "for at in range(0, n, 1 << 20): assert m[at + 4096:at + 4096 + 9] == b\"%07d 1\" % (at >> 20), at\n"
                   "m.flush()\n' \"$0\"",
           file()},
          std::chrono::seconds(110));
  EXPECT_EQ(client.status, 0) << client.err;
  EXPECT_FALSE(client.timed_out);
  std::uint64_t most_used = 0;
  std::ifstream(group + (unified ? "/memory.peak" : "/memory.max_usage_in_bytes")) >> most_used;
  EXPECT_GT(most_used, 200 * kMebi) << "they weren't in the group";
  server_->kill(SIGTERM);
  EXPECT_EQ(server_->wait(kPatience).status, 0) << server_->err();
  std::ifstream backing(folder_ / "backing", std::ios::binary);
  for (std::uint64_t at = 0; at < 2048; at += 101) {
    std::string there(9, '\0');
    backing.seekg(static_cast<std::streamoff>(at * kMebi));
    backing.read(there.data(), 9);
    std::ostringstream expected;
    expected << std::setw(7) << std::setfill('0') << at << " 1";
    EXPECT_EQ(there, expected.str());
  }
  server_.reset();
  EXPECT_TRUE(wait_until([&] { return ::rmdir(group.c_str()) == 0; }, kPatience));
}

// Each call of a region is killed while it waits for what never comes: nobody stays behind, and nothing hangs.
struct Stuck {
  const char* call;
  bool device = false;
};

std::ostream& operator<<(std::ostream& out, const Stuck& stuck) {
  return out << stuck.call << (stuck.device ? " of a device" : " of a file");
}

class KilledInACallTest : public PagedServerTest, public ::testing::WithParamInterface<Stuck> {
 protected:
  void SetUp() override { DMMAP_NEEDS_PLACE(is_device() ? Place::device : Place::file); }
  [[nodiscard]] bool is_device() const override { return GetParam().device; }
  [[nodiscard]] bool is_there() const {
    return is_device() ? ::access(file().c_str(), F_OK) == 0 : is_mounted(mountpoint_.path());
  }
};

auto calls(bool device) {
  return ::testing::Values(Stuck{"read", device}, Stuck{"write", device}, Stuck{"discard", device},
                           Stuck{"unmap", device}, Stuck{"resize", device}, Stuck{"revoke", device},
                           Stuck{"later", device});
}
std::string name_of(const ::testing::TestParamInfo<Stuck>& stuck) {
  return std::string(stuck.param.call) + (stuck.param.device ? "_device" : "");
}

TEST_P(KilledInACallTest, LeavesNobodyAndNothing) {
  const std::string call = GetParam().call;
  start(16 * kPage, call);
  RemoteClient client(file(), 16 * kPage);
  // read and write meet a fault, the others a writeback.
  if (call != "read" && call != "write") {
    ASSERT_TRUE(client.store(0, "dirty").ok());
  }
  ASSERT_EQ(::write(input_, "\n", 1), 1);
  ASSERT_TRUE(server_->wait_for_output("in the call", kPatience));
  if (call == "read" || call == "write") {
    client.begin_load(0, 1);  // meets the same fault
  } else if (is_device()) {
    client.begin_msync();
  } else {
    client.begin_fsync();
  }
  EXPECT_EQ(server_->out().find("the call returned"), std::string::npos) << "it wasn't stuck";
  server_->kill(SIGKILL);
  EXPECT_EQ(server_->wait(kPatience).status, 128 + SIGKILL);
  EXPECT_TRUE(wait_until([&] { return !is_there(); }, kPatience));
  const auto outcome = client.finish(kPatience);
  ASSERT_TRUE(outcome) << "the client hangs";
  EXPECT_FALSE(outcome->ok());
}

INSTANTIATE_TEST_SUITE_P(Calls, KilledInACallTest, calls(false), name_of);
INSTANTIATE_TEST_SUITE_P(Kernel, KilledInACallTest, calls(true), name_of);

// Told to stop, rather than killed, while faults and writebacks are never answered.
class StoppedInACallTest : public KilledInACallTest {};

TEST_P(StoppedInACallTest, EndsWithinItsGrace) {
  const std::string call = GetParam().call;
  start(16 * kPage, call);
  RemoteClient client(file(), 16 * kPage);
  if (call != "read" && call != "write") {
    ASSERT_TRUE(client.store(0, "dirty").ok());
  }
  ASSERT_EQ(::write(input_, "\n", 1), 1);
  ASSERT_TRUE(server_->wait_for_output("in the call", kPatience));
  client.begin_load(5 * kPage, 1);
  server_->kill(SIGTERM);
  const Ended ended = server_->wait(kPatience);
  EXPECT_FALSE(ended.timed_out) << server_->err();
  EXPECT_TRUE(wait_until([&] { return !is_there(); }, kPatience));
  ASSERT_TRUE(client.finish(kPatience)) << "the client hangs";
}

INSTANTIATE_TEST_SUITE_P(Calls, StoppedInACallTest, calls(false), name_of);
INSTANTIATE_TEST_SUITE_P(Kernel, StoppedInACallTest, calls(true), name_of);

}  // namespace
}  // namespace dmmap::testing
