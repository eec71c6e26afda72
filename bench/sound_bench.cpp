// What the sound device costs beside PulseAudio: processor time of the server for each stream, and how exactly the
// wake-ups at fragments come, at 1, 8 and 64 streams. As root:
//
//   build/release/bench/sound_bench [SECONDS [ROUNDS]]
//
// The streams are S16_LE, stereo, 44100 Hz, into a null sink of the same. Ours play through mmap in four fragments of
// 4096 bytes (23.22 ms). Each has a thread that waits in poll(2) and asks SNDCTL_DSP_GETOPTR, as SDL 1.2's dma driver
// does. A wake-up's lateness is how much later it came than the fragment's end by the stream's own clock, of which the
// earliest wake-up is taken as the measure. PulseAudio's are pacat's, with a latency of four such fragments.
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
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/paired.h"
#include "mount/mounted.h"
#include "programs/pulse_server.h"
#include "support/process.h"
#include "support/temporary_directory.h"
#include "transport/unique_fd.h"

namespace {

using dmmap::UniqueFd;
using dmmap::bench::quantile;
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

// Percent of a processor for each stream; microseconds by which wake-ups were late, at the
// median, at 99 in 100, and at the most.
std::vector<double> mapped(dmmap::testing::Process& server, const std::string& path, std::size_t streams,
                           double seconds) {
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
  return {100 * used / seconds / static_cast<double>(streams), quantile(all, 0.5), quantile(all, 0.99),
          *std::max_element(all.begin(), all.end())};
}

// PulseAudio's part of a processor, in percent for each of as many pacat.
std::vector<double> by_pulseaudio(dmmap::testing::PulseServer& server, const std::string& sound, std::size_t streams,
                                  double seconds) {
  std::vector<std::unique_ptr<dmmap::testing::Process>> players;
  for (std::size_t i = 0; i < streams; ++i) {
    players.push_back(std::make_unique<dmmap::testing::Process>(
        std::vector<std::string>{"pacat", "--playback", "--raw", "--rate=44100", "--channels=2", "--format=s16le",
                                 "--latency-msec=93", sound},
        server.client()));
  }
  std::this_thread::sleep_for(std::chrono::seconds(1));  // until all play
  const double before = processor_seconds(server.pid());
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return {100 * (processor_seconds(server.pid()) - before) / seconds / static_cast<double>(streams)};
}

class Server {
 public:
  explicit Server(const std::string& ring)
      : process_({program(), "sound", directory_.path().string(), "--sink", "null", "--ring", ring}) {
    if (!process_.wait_for_output("ready at", std::chrono::seconds(10))) {
      fmt::print(stderr, "sound_bench: {}", process_.err());
      std::exit(1);
    }
  }
  [[nodiscard]] dmmap::testing::Process& process() { return process_; }
  [[nodiscard]] std::string path() const { return directory_ / "dsp"; }
  void end() {
    process_.kill(SIGTERM);
    process_.wait(std::chrono::seconds(10));
  }

 private:
  static std::string program() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "dmmap";
  }
  dmmap::testing::TemporaryDirectory directory_;
  dmmap::testing::Process process_;
};

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 5;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  Server shared("shared");
  Server paged("paged");
  dmmap::testing::PulseServer pulse({"module-null-sink sink_name=null rate=44100 channels=2 format=s16le"});
  const dmmap::testing::TemporaryDirectory directory;
  const std::string sound = directory / "noise.raw";
  {
    // As long as a round and its start take; what it sounds like makes no difference.
    std::vector<char> noise(static_cast<std::size_t>((seconds + 30) * kRate) * 4);
    std::ifstream("/dev/urandom").read(noise.data(), static_cast<std::streamsize>(noise.size()));
    std::ofstream(sound).write(noise.data(), static_cast<std::streamsize>(noise.size()));
  }
  fmt::print(
      "| streams | ring | processor for each stream | PulseAudio | ratio | quartiles | wake-ups late by, median | "
      "99 in 100 | most |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const std::size_t streams : {1U, 8U, 64U}) {
    for (Server* const server : {&shared, &paged}) {
      const dmmap::bench::Rounds measured(rounds, 0,
                                          {[&] { return mapped(server->process(), server->path(), streams, seconds); },
                                           [&] { return by_pulseaudio(pulse, sound, streams, seconds); }});
      fmt::print("| {} | {} | {:.2f} % | {:.2f} % | {:.2f} | {:.2f} - {:.2f} | {:.0f} us | {:.0f} us | {:.0f} us |\n",
                 streams, server == &shared ? "shared" : "paged", measured.median(0), measured.median(1),
                 measured.ratio(0.5, 1), measured.ratio(0.25, 1), measured.ratio(0.75, 1), measured.median(0, 1),
                 measured.median(0, 2), measured.median(0, 3));
      std::fflush(stdout);
    }
  }
  shared.end();
  paged.end();
  return 0;
}
