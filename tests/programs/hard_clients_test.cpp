// Programs that do to the device what none should, on a real mount, while another plays: it never notices.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/soundcard.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "programs/dsp_client.h"
#include "programs/players.h"
#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

using dmmap::UniqueFd;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What the device may say to nonsense (open(2)'s and ioctl(2)'s, and OSS's own).
const std::set<int> kRefusals{EINVAL, EFAULT, ENOTTY, EBUSY, EAGAIN, ENXIO, ENODEV, EIO, EPERM, EACCES};

// A child process that ends as `work` says, or by a signal. A test failure when it takes longer than any should.
int status_of_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);  // whatever it's caught in
    ::_exit(work());
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) << "it hung";
  return status;
}

class HardClientsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(server_.ready()) << server_.log();
    file_ = saved(server_, "original.wav", original_);
    // All others are silent, so that what is heard is this one's.
    witness_ = std::make_unique<Process>(mplayer(file_), sdl(server_, "dma"));
    ASSERT_TRUE(server_.says(", mmap"));
  }
  // The one that played is heard exactly, and another can play.
  void expect_unnoticed() {
    const Ended ended = witness_->wait(kPlaying);
    EXPECT_EQ(ended.status, 0);
    expect_exact(original_, server_.finish());
  }
  [[nodiscard]] int open_dsp(int flags, const char* name = "dsp") const {
    return ::open((server_.mountpoint() / name).c_str(), flags | O_CLOEXEC);
  }

  SoundServer server_{8000, 1};
  Audio original_ = noise(8000, 1, 4, 71);
  std::filesystem::path file_;
  std::unique_ptr<Process> witness_;
};

// Every number of OSS's groups, each direction, with values at all limits and with addresses that aren't there.
// Without `trigger` nothing of the device's is heard.
int send_every_ioctl(const std::string& device, int flags, std::string_view groups, bool trigger) {
  const int fd = ::open(device.c_str(), flags | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    return 10;
  }
  std::array<int, 1024> large{};  // as much as any argument has, 16383 bytes being the most
  for (const char group : groups) {
    for (unsigned number = 0; number < 256; ++number) {
      for (const unsigned direction : {_IOC_NONE, _IOC_READ, _IOC_WRITE, _IOC_READ | _IOC_WRITE}) {
        for (const std::size_t size : {std::size_t{0}, sizeof(int), std::size_t{4000}}) {
          if (group == 'P' && number == _IOC_NR(SNDCTL_DSP_SETTRIGGER) && !trigger) {
            continue;
          }
          if (group == 'X' && number >= 119 && number <= 121) {
            continue;  // FIFREEZE, FITHAW, FITRIM: the kernel's own, on any file
          }
          const unsigned long command = _IOC(direction, static_cast<unsigned>(group), number, size);
          for (const int value : {0, 1, -1, INT_MAX, INT_MIN, 0x7fff0000, 0x00020008}) {
            if (size != sizeof value && value != -1) {
              continue;
            }
            large.fill(value);
            if (::ioctl(fd, command, large.data()) < 0 && kRefusals.count(errno) == 0) {
              return errno;
            }
          }
          if (::ioctl(fd, command, nullptr) < 0 && kRefusals.count(errno) == 0) {
            return errno;
          }
          if (::ioctl(fd, command, 1) < 0 && kRefusals.count(errno) == 0) {
            return errno;
          }
        }
      }
    }
  }
  ::ioctl(fd, SNDCTL_DSP_RESET, nullptr);
  ::close(fd);
  return 0;
}

TEST_F(HardClientsTest, EveryIoctlWithGarbageIsAnsweredOrRefused) {
  const auto try_all = [this](const std::string& name, int flags, std::string_view groups, bool trigger) {
    const std::string device = server_.mountpoint() / name;
    EXPECT_EQ(status_of_child([&] { return send_every_ioctl(device, flags, groups, trigger); }), 0) << name << flags;
  };
  try_all("dsp", O_RDWR, "PTQ", false);
  try_all("audio", O_RDONLY, "P", true);
  try_all("dsp1", O_WRONLY, "P", false);
  const Ended ended = witness_->wait(kPlaying);
  EXPECT_EQ(ended.status, 0);
  // What is heard of these, and of the mixer, which is all streams'.
  for (const char* const name : {"dsp", "mixer"}) {
    try_all(name, O_RDWR, "PMX", true);
  }
  const UniqueFd mixer(open_dsp(O_RDWR, "mixer"));
  for (const unsigned long control : {SOUND_MIXER_WRITE_VOLUME, SOUND_MIXER_WRITE_PCM}) {
    int full = 0x6464;
    EXPECT_EQ(::ioctl(mixer.get(), control, &full), 0);
  }
  EXPECT_EQ(run({DMMAP_DSP_CLIENT, server_.dsp(), "write", "8000"}, seconds(20)).status, 0);
  const Audio heard = server_.finish();
  expect_exact(original_, heard);
  for (std::size_t i = 0; i < 4000; ++i) {
    ASSERT_EQ(heard.samples[heard.samples.size() - 4000 + i], sample_played(i));
  }
}

TEST_F(HardClientsTest, MappingsThatAreTooLongPrivateTwiceOrAfterWriting) {
  constexpr std::size_t kRing = std::size_t{1} << 20;  // as long as any
  // Longer than the file: what lies beyond is SIGBUS (mmap(2)), and nothing else.
  EXPECT_EQ(status_of_child([&] {
              ::signal(SIGBUS, SIG_DFL);  // not the sanitizers' handler
              const int fd = open_dsp(O_RDWR);
              auto* const ring =
                  static_cast<volatile char*>(::mmap(nullptr, 2 * kRing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
              if (ring == MAP_FAILED) {
                return 1;
              }
              ring[kRing - 1] = 0;
              ring[kRing] = 0;
              return 2;
            }),
            SIGBUS);
  const UniqueFd fd(open_dsp(O_RDWR | O_NONBLOCK));
  const auto map = [&](int protection, int flags) {
    return static_cast<char*>(::mmap(nullptr, kRing, protection, flags, fd.get(), 0));
  };
  char* const first = map(PROT_READ | PROT_WRITE, MAP_SHARED);
  char* const second = map(PROT_READ | PROT_WRITE, MAP_SHARED);
  char* const own = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
  ASSERT_NE(first, MAP_FAILED);
  ASSERT_NE(second, MAP_FAILED);
  ASSERT_NE(own, MAP_FAILED);
  first[5] = 7;
  EXPECT_EQ(second[5], 7);
  own[6] = 9;
  EXPECT_EQ(first[6], second[6]);
  EXPECT_NE(first[6], 9);
  first[5] = 0;
  // To write after mapping is refused or taken, and doesn't wait.
  std::array<char, 256> silence{};
  silence.fill(static_cast<char>(128));  // of U8
  errno = 0;
  EXPECT_TRUE(::write(fd.get(), silence.data(), silence.size()) >= 0 || kRefusals.count(errno) == 1) << errno;
  // And the other way round.
  const UniqueFd other(open_dsp(O_RDWR | O_NONBLOCK));
  EXPECT_EQ(::write(other.get(), silence.data(), silence.size()), 256);
  void* const late = ::mmap(nullptr, kRing, PROT_READ | PROT_WRITE, MAP_SHARED, other.get(), 0);
  EXPECT_TRUE(late != MAP_FAILED || kRefusals.count(errno) == 1) << errno;
  // A read-only open can't be stored to; one for writing alone can't be mapped.
  const UniqueFd reader(open_dsp(O_RDONLY));
  EXPECT_EQ(::mmap(nullptr, kRing, PROT_READ | PROT_WRITE, MAP_SHARED, reader.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  const UniqueFd writer(open_dsp(O_WRONLY));
  EXPECT_EQ(::mmap(nullptr, kRing, PROT_WRITE, MAP_SHARED, writer.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  for (char* const each : {first, second, own}) {
    ::munmap(each, kRing);
  }
  expect_unnoticed();
}

// Plays silence, so that the one that is listened to is heard alone.
constexpr const char* kSilent = R"(
import fcntl, mmap, os, struct, sys, time
def set_up(dsp):
    for command, value in ((0xc004500a, 0x0004000a), (0xc0045005, 16), (0xc0045006, 1), (0xc0045002, 8000)):
        fcntl.ioctl(dsp, command, struct.pack('i', value))
def forever_written():
    dsp = os.open(sys.argv[1], os.O_WRONLY)
    set_up(dsp)
    while True:
        os.write(dsp, bytes(8192))
def forever_mapped():
    dsp = os.open(sys.argv[1], os.O_RDWR)
    set_up(dsp)
    ring = mmap.mmap(dsp, 4096)
    while True:
        for trigger in (0, 2):
            fcntl.ioctl(dsp, 0x40045010, struct.pack('i', trigger))
        for i in range(100):
            fcntl.ioctl(dsp, 0x800c5012, bytes(12))
            ring[(i * 40) % 4096] = 0
def forever_recorded():
    dsp = os.open(sys.argv[1], os.O_RDWR)
    set_up(dsp)
    while True:
        os.read(dsp, 512)
        os.write(dsp, bytes(512))
def forked():
    while True:
        dsp = os.open(sys.argv[1], os.O_RDWR)
        set_up(dsp)
        ring = mmap.mmap(dsp, 4096)
        fcntl.ioctl(dsp, 0x40045010, struct.pack('i', 2))
        child = os.fork()
        if child == 0:
            os.close(dsp)
            time.sleep(0.02)
            ring[0] = 0
            os._exit(0)
        os.close(dsp)
        os.waitpid(child, 0)
print('begins', flush=True)
{'write': forever_written, 'map': forever_mapped, 'record': forever_recorded, 'fork': forked}[sys.argv[2]]()
)";

TEST_F(HardClientsTest, ClientsThatAreStoppedKilledOrForkInTheMiddle) {
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Process>> clients;
  const auto begin = [&](const char* what) {
    clients.push_back(std::make_unique<Process>(
        std::vector<std::string>{"/usr/bin/python3", "-c", kSilent, server_.dsp().string(), what}));
    EXPECT_TRUE(clients.back()->wait_for_output("begins", seconds(20)));
  };
  for (int round = 0; round < 2; ++round) {
    for (const char* const what : {"write", "map", "record", "fork"}) {
      begin(what);
    }
  }
  std::uniform_int_distribution<std::size_t> one(0, clients.size() - 1);
  std::uniform_int_distribution<int> moment(0, 60);
  const auto end = std::chrono::steady_clock::now() + seconds(3);
  while (std::chrono::steady_clock::now() < end) {
    Process& client = *clients[one(random)];
    EXPECT_TRUE(client.running()) << client.out() << client.err();
    client.kill(SIGSTOP);
    std::this_thread::sleep_for(milliseconds(moment(random)));
    client.kill(SIGCONT);
    std::this_thread::sleep_for(milliseconds(moment(random) / 4));
  }
  // Half of them while they're stopped.
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (i % 2 == 0) {
      clients[i]->kill(SIGSTOP);
    }
    clients[i]->kill(SIGKILL);
    EXPECT_FALSE(clients[i]->wait(seconds(20)).timed_out);
  }
  expect_unnoticed();
}

// The server's own user, and nobody else, may change what others hear.
TEST_F(HardClientsTest, AnotherUserMayLookButNotChange) {
  const std::string mount = server_.mountpoint();
  // The folder of the test isn't open to others: by the directory that is the mount's root.
  const UniqueFd root(::open(mount.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(status_of_child([&] {
              if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
                return 1;
              }
              if (::openat(root.get(), "status", O_RDONLY) < 0 || ::openat(root.get(), "dsp", O_RDWR) < 0) {
                return 2;
              }
              return ::openat(root.get(), "control", O_WRONLY) < 0 && errno == EACCES ? 0 : 3;
            }),
            0);
  expect_unnoticed();
}

}  // namespace
}  // namespace dmmap::testing
