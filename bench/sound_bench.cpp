// What the sound device costs: processor time of the server for each stream that plays through mmap, and how exactly
// the wake-ups at fragments come, at 1, 8 and 64 streams. As root:
//
//   build/release/bench/sound_bench [SECONDS [shared|paged]]
//
// The second is what `dmmap sound --ring` gets.
//
// The streams are S16_LE, stereo, 44100 Hz, in fragments of 4096 bytes (23.22 ms), played into the null sink. Each has
// a thread that waits in poll(2) and asks SNDCTL_DSP_GETOPTR, as SDL 1.2's dma driver does. A wake-up's lateness is how
// much later it came than the fragment's end by the stream's own clock, of which the earliest wake-up is taken as the
// measure.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/soundcard.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "mount/mounted.h"
#include "support/process.h"
#include "support/temporary_directory.h"
#include "transport/unique_fd.h"

namespace {

using dmmap::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr int kRate = 44100;
constexpr double kFragmentSeconds = 4096.0 / (kRate * 4);

// Processor time of a process so far, user and system, in seconds (proc(5), stat).
double processor_seconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) {
    fields >> skipped;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

template <class T>
void must(int fd, unsigned long command, T& value) {
  if (::ioctl(fd, command, &value) != 0) {
    fmt::print(stderr, "sound_bench: an ioctl failed\n");
    std::abort();
  }
}

// Plays for `seconds`; returns by how many microseconds each wake-up was late.
std::vector<double> play(const std::string& path, double seconds) {
  const UniqueFd fd(dmmap::testing::open_file(path, O_RDWR));
  int format = AFMT_S16_LE;
  int channels = 2;
  int rate = kRate;
  int fragments = (4 << 16) | 12;
  must(fd.get(), SNDCTL_DSP_SETFRAGMENT, fragments);
  must(fd.get(), SNDCTL_DSP_SETFMT, format);
  must(fd.get(), SNDCTL_DSP_CHANNELS, channels);
  must(fd.get(), SNDCTL_DSP_SPEED, rate);
  audio_buf_info space{};
  must(fd.get(), SNDCTL_DSP_GETOSPACE, space);
  const auto size = static_cast<std::size_t>(space.fragstotal) * static_cast<std::size_t>(space.fragsize);
  const dmmap::testing::ClientMap ring(fd.get(), size, PROT_READ | PROT_WRITE, MAP_SHARED);
  int trigger = PCM_ENABLE_OUTPUT;
  must(fd.get(), SNDCTL_DSP_SETTRIGGER, trigger);
  std::vector<double> offsets;  // of each wake-up, against its fragment's number
  const auto begin = Clock::now();
  double fragment = 0;
  while (std::chrono::duration<double>(Clock::now() - begin).count() < seconds) {
    pollfd wanted{fd.get(), POLLOUT, 0};
    ::poll(&wanted, 1, 1000);
    const double at = std::chrono::duration<double>(Clock::now() - begin).count();
    count_info position{};
    must(fd.get(), SNDCTL_DSP_GETOPTR, position);
    fragment += position.blocks;
    offsets.push_back(at - fragment * kFragmentSeconds);
  }
  const double earliest = *std::min_element(offsets.begin(), offsets.end());
  for (double& each : offsets) {
    each = (each - earliest) * 1e6;
  }
  return offsets;
}

double quantile(std::vector<double>& values, double part) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  const dmmap::testing::TemporaryDirectory directory;
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "dmmap";
  dmmap::testing::Process server(
      {program.string(), "sound", directory.path().string(), "--sink", "null", "--ring", argc > 2 ? argv[2] : "auto"});
  if (!server.wait_for_output("ready at", std::chrono::seconds(10))) {
    fmt::print(stderr, "sound_bench: {}", server.err());
    return 1;
  }
  const std::string path = (directory / "dsp").string();
  fmt::print("| streams | processor for each stream | wake-ups late by, median | 99 in 100 | most |\n");
  fmt::print("| --- | --- | --- | --- | --- |\n");
  for (const std::size_t streams : {1U, 8U, 64U}) {
    std::vector<std::vector<double>> late(streams);
    std::vector<std::thread> players;
    const double before = processor_seconds(server.pid());
    for (auto& each : late) {
      players.emplace_back([&each, &path, seconds] { each = play(path, seconds); });
    }
    for (auto& player : players) {
      player.join();
    }
    const double used = processor_seconds(server.pid()) - before;
    std::vector<double> all;
    for (const auto& each : late) {
      all.insert(all.end(), each.begin(), each.end());
    }
    const double most = *std::max_element(all.begin(), all.end());
    fmt::print("| {} | {:.2f} % | {:.0f} us | {:.0f} us | {:.0f} us |\n", streams,
               100 * used / seconds / static_cast<double>(streams), quantile(all, 0.5), quantile(all, 0.99), most);
  }
  server.kill(SIGTERM);
  return server.wait(std::chrono::seconds(10)).status;
}
