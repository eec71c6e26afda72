// The examples as people run them, with real client programs, and what is left when they die.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "mount/mounted.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr std::size_t kSize = 65536;

std::string example(const std::string& name) {
  return std::string(DMMAP_EXAMPLES) + "/" + name;
}

// The watchers that live of servers of this directory, whose command line they have; others' tests have watchers too.
// One whose parent is slow to reap it has no command line any more.
std::set<pid_t> watchers_of(const std::string& directory) {
  std::set<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream name(entry.path() / "comm");
    std::ifstream command(entry.path() / "cmdline");
    std::string line;
    std::string words;
    if (std::getline(name, line) && line == "dmmap-watcher" && std::getline(command, words) &&
        words.find(directory) != std::string::npos) {
      found.insert(static_cast<pid_t>(std::stol(entry.path().filename())));
    }
  }
  return found;
}

// Whether the process has a handler for the signal (proc(5), SigCgt).
bool catches(pid_t pid, int number) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("SigCgt:")) {
      return (std::stoull(line.substr(7), nullptr, 16) >> static_cast<unsigned>(number - 1) & 1U) != 0;
    }
  }
  return false;
}

// What the descriptors of the process are; one that goes meanwhile is left out.
std::vector<std::string> descriptors_of(pid_t pid) {
  std::vector<std::string> targets;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    const std::filesystem::path target = std::filesystem::read_symlink(entry.path(), gone);
    if (!gone) {
      targets.push_back(target.string());
    }
  }
  return targets;
}

bool is_socket(const std::string& target) {
  return target.starts_with("socket:");
}

class ExamplesTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::mounting()); }

  std::unique_ptr<Process> start(std::vector<std::string> argv, const Process::Options& options = {}) {
    argv[0] = example(argv[0]);
    auto process = std::make_unique<Process>(std::move(argv), options);
    EXPECT_TRUE(wait_until([&] { return is_mounted(directory_.path()) || !process->running(); }, kPatience));
    EXPECT_TRUE(process->running()) << process->err();
    return process;
  }
  Outcome fails(std::vector<std::string> argv) {
    argv[0] = example(argv[0]);
    return run(std::move(argv), kPatience);
  }
  [[nodiscard]] std::string buffer() const { return (directory_ / "buffer").string(); }

  TemporaryDirectory directory_;
};

TEST_F(ExamplesTest, SharedBufferIsOneMemoryForAllPrograms) {
  DMMAP_NEEDS(needs::passthrough());
  const auto server = start({"shared_buffer", directory_.path().string(), "--size", "8192"});
  const auto writer = run({"/usr/bin/python3", "-c",
                           "import mmap,sys; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0)\n"
                           "assert len(m) == 8192; m[4090:4096] = b'mapped'",
                           buffer()},
                          kPatience);
  EXPECT_EQ(writer.status, 0) << writer.err;
  const auto reader = run({"tail", "-c", "+4091", buffer()}, kPatience);
  EXPECT_EQ(reader.out.substr(0, 6), "mapped");
  const auto dd =
      run({"dd", "of=" + buffer(), "bs=1", "seek=8000", "conv=notrunc", "if=/dev/zero", "count=1"}, kPatience);
  EXPECT_EQ(dd.status, 0) << dd.err;
}

TEST_F(ExamplesTest, PrivateBuffersAreOneMemoryAnOpen) {
  DMMAP_NEEDS(needs::passthrough());
  const auto server = start({"private_buffers", directory_.path().string()});
  const auto programs = run({"/usr/bin/python3", "-c",
                             "import mmap,sys\n"
                             "files = [open(sys.argv[1], 'r+b') for _ in range(3)]\n"
                             "maps = [mmap.mmap(f.fileno(), 65536) for f in files]\n"
                             "for i, m in enumerate(maps): m[0] = i + 1\n"
                             "assert [m[0] for m in maps] == [1, 2, 3]\n"
                             "assert [f.read(1)[0] for f in files] == [1, 2, 3]",
                             buffer()},
                            kPatience);
  EXPECT_EQ(programs.status, 0) << programs.err;
}

TEST_F(ExamplesTest, SignalsEndThemCleanly) {
  for (const int number : {SIGINT, SIGTERM}) {
    const auto server = start({"shared_buffer", directory_.path().string()});
    ASSERT_TRUE(
        wait_until([&] { return catches(server->pid(), SIGHUP) && catches(server->pid(), number); }, kPatience));
    server->kill(SIGHUP);  // ignored
    server->kill(number);
    EXPECT_EQ(server->wait(kPatience).status, 0) << server->err();
    EXPECT_FALSE(is_mounted(directory_.path()));
  }
}

TEST_F(ExamplesTest, AServerKilledLeavesNoMountAndNoWatcherAndMappingsLiveOn) {
  DMMAP_NEEDS(needs::passthrough());
  const auto server = start({"shared_buffer", directory_.path().string()});
  const auto watchers = [&] { return watchers_of(directory_.path()).size(); };
  ASSERT_TRUE(wait_until([&] { return watchers() == 1; }, kPatience));
  const UniqueFd fd(open_file(buffer(), O_RDWR));
  const ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  map.bytes()[100] = 5;
  server->kill(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return !is_mounted(directory_.path()); }, kPatience));
  EXPECT_EQ(map.bytes()[100], 5);
  map.bytes()[100] = 6;
  char byte = 0;
  EXPECT_EQ(::pread(fd.get(), &byte, 1, 0), -1);
  EXPECT_TRUE(errno == ENOTCONN || errno == ECONNABORTED) << errno;
  EXPECT_TRUE(wait_until([&] { return watchers() == 0; }, kPatience));
}

TEST_F(ExamplesTest, TheWatcherHoldsNothingOfTheServers) {
  const auto server = start({"shared_buffer", directory_.path().string()});
  // It's there before the mount is, but has its name a moment later, and has only then closed what it inherited.
  std::vector<std::string> held;
  EXPECT_TRUE(wait_until(
      [&] {
        const auto watchers = watchers_of(directory_.path());
        held = watchers.size() == 1 ? descriptors_of(*watchers.begin()) : std::vector<std::string>{};
        return std::count(held.begin(), held.end(), "/dev/null") == 3 &&
               std::count_if(held.begin(), held.end(), is_socket) == 1 && held.size() == 4;
      },
      kPatience))
      << ::testing::PrintToString(held);
}

TEST_F(ExamplesTest, AStoppedClientHoldsNobodyUp) {
  DMMAP_NEEDS(needs::passthrough());
  const auto server = start({"shared_buffer", directory_.path().string()});
  Process client({"/usr/bin/python3", "-c",
                  "import mmap,sys,time; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0)\n"
                  "m[0] = 1; print('mapped', flush=True)\nwhile True: m[1] = 1",
                  buffer()});
  ASSERT_TRUE(client.wait_for_output("mapped", kPatience)) << client.err();
  client.kill(SIGSTOP);
  EXPECT_EQ(run({"head", "-c", "1", buffer()}, kPatience).out, "\x01");
  client.kill(SIGKILL);
  EXPECT_EQ(run({"head", "-c", "1", buffer()}, kPatience).out, "\x01");
}

TEST_F(ExamplesTest, BadArgumentsAndMountPointsAreSaid) {
  EXPECT_EQ(fails({"shared_buffer"}).status, 2);
  EXPECT_EQ(fails({"private_buffers", "a", "b"}).status, 2);
  const Outcome missing = fails({"shared_buffer", (directory_ / "missing").string()});
  EXPECT_EQ(missing.status, 1);
  EXPECT_NE(missing.err.find("does not exist"), std::string::npos) << missing.err;
  const Outcome none = fails({"shared_buffer", directory_.path().string(), "--size", "0"});
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.err.find("size"), std::string::npos) << none.err;
  const auto server = start({"shared_buffer", directory_.path().string()});
  const Outcome busy = fails({"private_buffers", directory_.path().string()});
  EXPECT_EQ(busy.status, 1);
  EXPECT_NE(busy.err.find("already"), std::string::npos) << busy.err;
}

// A bind mount pins one inode: one ring for all who open it, so a second private buffer is refused. Where the kernel
// asks at each mmap(2) an inode has no ring of its own.
TEST_F(ExamplesTest, ABindMountIsOneInode) {
  DMMAP_NEEDS(needs::passthrough());
  const auto server = start({"private_buffers", directory_.path().string()});
  const TemporaryDirectory elsewhere;
  const std::string pinned = (elsewhere / "dsp").string();
  std::ofstream(pinned) << "";
  ASSERT_EQ(::mount(buffer().c_str(), pinned.c_str(), nullptr, MS_BIND, nullptr), 0);
  {
    const UniqueFd first(open_file(pinned, O_RDWR));
    EXPECT_GE(first.get(), 0);
    const UniqueFd second(open_file(pinned, O_RDWR));
    const bool kernel_asks = std::getenv("DMMAP_KERNEL_PATCHED") != nullptr;
    EXPECT_EQ(second.get() >= 0, kernel_asks) << second.get();
  }
  const UniqueFd again(open_file(pinned, O_RDWR));
  EXPECT_GE(again.get(), 0) << "free once the first has closed";
  ::umount2(pinned.c_str(), MNT_DETACH);
}

// Without privilege: mounted by fusermount3; files open, read and write; only mmap is refused.
TEST_F(ExamplesTest, AUserWithoutPrivilegeGetsAllButTheMapping) {
  DMMAP_NEEDS(needs::program("fusermount3"));
  const TemporaryDirectory elsewhere;
  ASSERT_TRUE(let_everyone_open_fuse(elsewhere.path()));
  ASSERT_EQ(::chown(directory_.path().c_str(), 65534, 65534), 0);
  ProcessOptions nobody;
  nobody.user = 65534;
  const auto server = start({"shared_buffer", directory_.path().string()}, nobody);
  const auto client = run({"/usr/bin/python3", "-c",
                           "import errno,mmap,sys\n"
                           "f = open(sys.argv[1], 'r+b', buffering=0)\n"
                           "assert f.write(b'written') == 7\n"
                           "f.seek(0); assert f.read(7) == b'written'\n"
                           "try: mmap.mmap(f.fileno(), 4096); sys.exit(3)\n"
                           "except OSError as e: assert e.errno == errno.ENODEV, e",
                           buffer()},
                          kPatience, nobody);
  EXPECT_EQ(client.status, 0) << client.err;
  // What is said to be missing is what would help: on a kernel without passthrough no privilege does.
  const char* const missing = needs::kernel(6, 9).empty() ? "CAP_SYS_ADMIN" : "this kernel (FUSE 7.";
  EXPECT_TRUE(server->wait_for_output(missing, kPatience)) << server->err();
  server->kill(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return !is_mounted(directory_.path()); }, kPatience)) << "its watcher unmounts too";
}

}  // namespace
}  // namespace dmmap::testing
