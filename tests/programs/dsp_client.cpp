// A program that plays on DEVICE, S16_LE, and may be made to hang, interrupted or killed by a test.
//
//   dsp_client DEVICE write BYTES [RATE CHANNELS]   one blocking write(2) and close(2); says what they returned
//   dsp_client DEVICE interrupt                     blocking writes, interrupted by signals, until one gets EINTR
//   dsp_client DEVICE map                           maps the ring, plays it round and round, and never ends
#include "programs/dsp_client.h"

#include <fcntl.h>
#include <linux/soundcard.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <span>
#include <string>
#include <vector>

namespace dmmap::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Two high words of SNDCTL_DSP_SETFRAGMENT: how many; two low ones: how large, as a power of two.
constexpr int kFourOf1024 = 0x0004000a;
constexpr int kTwoOf16384 = 0x0002000e;

std::string name_of(int error) {
  return error == 0 ? "no error" : ::strerrorname_np(error);
}

std::vector<std::int16_t> sound(std::size_t bytes) {
  std::vector<std::int16_t> samples(bytes / sizeof(std::int16_t));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] = sample_played(i);
  }
  return samples;
}

bool set_up(int fd, int fragments, int rate, int channels) {
  int format = AFMT_S16_LE;
  return ::ioctl(fd, SNDCTL_DSP_SETFRAGMENT, &fragments) == 0 && ::ioctl(fd, SNDCTL_DSP_SETFMT, &format) == 0 &&
         ::ioctl(fd, SNDCTL_DSP_CHANNELS, &channels) == 0 && ::ioctl(fd, SNDCTL_DSP_SPEED, &rate) == 0;
}

int play_by_write(int fd, std::size_t bytes, int rate, int channels) {
  if (!set_up(fd, kFourOf1024, rate, channels)) {
    return 2;
  }
  const std::vector<std::int16_t> samples = sound(bytes);
  errno = 0;
  const ssize_t wrote = ::write(fd, samples.data(), bytes);
  std::cout << "write: " << wrote << ", " << name_of(wrote < 0 ? errno : 0) << std::endl;
  const int closed = ::close(fd);
  std::cout << "close: " << name_of(closed < 0 ? errno : 0) << std::endl;
  return wrote == static_cast<ssize_t>(bytes) && closed == 0 ? 0 : 1;
}

struct Interrupted {
  ssize_t wrote = 0;
  int error = 0;
  milliseconds took{0};
};

// A signal comes every `period`, so that one that comes before the write waits isn't the last.
Interrupted write_interrupted(int fd, std::span<const std::byte> bytes, milliseconds period) {
  const auto microseconds = static_cast<suseconds_t>(period.count() * 1000);
  const itimerval often{.it_interval = {0, microseconds}, .it_value = {0, microseconds}};
  const itimerval never{};
  const auto begin = steady_clock::now();
  ::setitimer(ITIMER_REAL, &often, nullptr);
  const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
  const int error = wrote < 0 ? errno : 0;
  ::setitimer(ITIMER_REAL, &never, nullptr);
  return {wrote, error, std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin)};
}

// The ring is four seconds long, and a program is woken when half of it has been played.
int play_interrupted(int fd) {
  constexpr std::size_t kRing = 32768;
  struct sigaction action {};
  action.sa_handler = [](int) {};  // without SA_RESTART
  ::sigaction(SIGALRM, &action, nullptr);
  if (!set_up(fd, kTwoOf16384, 4000, 1)) {
    return 2;
  }
  // Not much more than the ring, since a frame's time may pass while it's brought to the server.
  const std::vector<std::int16_t> samples = sound(36'000);
  const auto bytes = std::as_bytes(std::span(samples));
  const auto say = [](const Interrupted& it) {
    std::cout << it.wrote << ", " << name_of(it.error) << " after " << it.took.count() << " ms" << std::endl;
  };
  const Interrupted first = write_interrupted(fd, bytes, milliseconds(100));
  say(first);
  if (first.wrote < static_cast<ssize_t>(kRing) || first.wrote >= static_cast<ssize_t>(bytes.size()) ||
      first.took < milliseconds(80) || first.took > milliseconds(700)) {
    return 1;
  }
  // EINTR is for those that find no room at all, and room for a frame comes all the time: the ring is filled, and the
  // next write must reach the server before a frame has been played.
  for (int tries = 0; tries < 2000; ++tries) {
    ::fcntl(fd, F_SETFL, O_WRONLY | O_NONBLOCK);
    const ssize_t filled = ::write(fd, bytes.data(), bytes.size());
    const int error = filled < 0 ? errno : 0;
    ::fcntl(fd, F_SETFL, O_WRONLY);
    if (filled < 0 && error != EAGAIN) {
      std::cout << "what fits wasn't taken: " << name_of(error) << std::endl;
      return 1;
    }
    const Interrupted next = write_interrupted(fd, bytes, milliseconds(3));
    if (next.error == EINTR) {
      say(next);
      return 0;
    }
    if (next.wrote <= 0 || next.took > milliseconds(700)) {
      say(next);
      return 1;
    }
  }
  std::cout << "never EINTR" << std::endl;
  return 1;
}

int play_mapped(int fd) {
  constexpr std::size_t kRing = 4096;
  if (!set_up(fd, kFourOf1024, 8000, 1)) {
    return 2;
  }
  void* const ring = ::mmap(nullptr, kRing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (ring == MAP_FAILED) {
    std::cout << "mmap: " << name_of(errno) << std::endl;
    return 1;
  }
  std::memcpy(ring, sound(kRing).data(), kRing);
  int trigger = 0;
  ::ioctl(fd, SNDCTL_DSP_SETTRIGGER, &trigger);
  trigger = PCM_ENABLE_OUTPUT;
  if (::ioctl(fd, SNDCTL_DSP_SETTRIGGER, &trigger) != 0) {
    return 2;
  }
  std::cout << "playing" << std::endl;
  for (;;) {
    ::pause();
  }
}

int run(const std::vector<std::string>& words) {
  const std::string command = words.size() > 1 ? words[1] : "";
  const int fd = ::open(words.empty() ? "" : words[0].c_str(), command == "map" ? O_RDWR : O_WRONLY);
  if (fd < 0) {
    std::cout << "open: " << name_of(errno) << std::endl;
    return 3;
  }
  if (command == "write" && words.size() > 2) {
    const int rate = words.size() > 4 ? std::stoi(words[3]) : 8000;
    const int channels = words.size() > 4 ? std::stoi(words[4]) : 1;
    return play_by_write(fd, std::stoul(words[2]), rate, channels);
  }
  if (command == "interrupt") {
    return play_interrupted(fd);
  }
  return command == "map" ? play_mapped(fd) : 2;
}

}  // namespace
}  // namespace dmmap::testing

int main(int argc, char** argv) {
  return dmmap::testing::run({argv + 1, argv + argc});
}
