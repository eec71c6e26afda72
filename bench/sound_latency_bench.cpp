// How long it takes from a store into the ring to the sample in the sink, beside PulseAudio. As root:
//
//   build/release/bench/sound_latency_bench [SAMPLES]
//
// S16_LE, mono, 48000 Hz. A sample is stored 5 ms ahead of where SNDCTL_DSP_GETOPTR says that the ring is played, while
// all else of it is silence, and looked for in the sink's WAV file. In PulseAudio it's written to a stream whose buffer
// has 46 ms, two fragments as SDL 1.2's dma driver has them, and looked for in the null sink's monitor, of which pieces
// of 5 ms are asked for.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/soundcard.h>
#include <pulse/simple.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
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
using std::chrono::milliseconds;

constexpr int kRate = 48000;
constexpr std::int16_t kMarker = 12345;
constexpr std::size_t kAhead = 240;  // frames, 5 ms
constexpr std::size_t kPiece = 240;  // frames

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "sound_latency_bench: {}\n", why);
  std::exit(1);
}

double milliseconds_since(Clock::time_point then) {
  return std::chrono::duration<double, std::milli>(Clock::now() - then).count();
}

template <class T>
void must(int fd, unsigned long command, T& value) {
  if (::ioctl(fd, command, &value) != 0) {
    give_up("an ioctl failed");
  }
}

// When a sample that isn't zero is in `file` behind `from`, in milliseconds since `stored`; `from` moves on.
double seen(int file, off_t& from, Clock::time_point stored) {
  std::array<std::int16_t, 4096> samples{};
  for (;;) {
    const ssize_t got = ::pread(file, samples.data(), sizeof samples, from);
    if (got > 0) {
      from += got / 2 * 2;
      const auto end = samples.begin() + got / 2;
      if (std::find(samples.begin(), end, kMarker) != end) {
        return milliseconds_since(stored);
      }
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    if (milliseconds_since(stored) > 5000) {
      give_up("what was stored didn't come");
    }
  }
}

std::vector<double> through_mmap(int samples) {
  const dmmap::testing::TemporaryDirectory directory;
  const std::string heard = directory / "heard.wav";
  const auto mount = directory / "mnt";
  std::filesystem::create_directory(mount);
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "dmmap";
  dmmap::testing::Process server({program.string(), "sound", mount.string(), "--sink", "wav:" + heard});
  if (!server.wait_for_output("ready at", std::chrono::seconds(10))) {
    give_up(server.err());
  }
  std::vector<double> latencies;
  {
    const UniqueFd fd(dmmap::testing::open_file(mount / "dsp", O_RDWR));
    int fragments = (2 << 16) | 11;
    int format = AFMT_S16_LE;
    int channels = 1;
    int rate = kRate;
    must(fd.get(), SNDCTL_DSP_SETFRAGMENT, fragments);
    must(fd.get(), SNDCTL_DSP_SETFMT, format);
    must(fd.get(), SNDCTL_DSP_CHANNELS, channels);
    must(fd.get(), SNDCTL_DSP_SPEED, rate);
    constexpr std::size_t kRing = 4096;
    const dmmap::testing::ClientMap ring(fd.get(), kRing, PROT_READ | PROT_WRITE, MAP_SHARED);
    int trigger = PCM_ENABLE_OUTPUT;
    must(fd.get(), SNDCTL_DSP_SETTRIGGER, trigger);
    std::this_thread::sleep_for(milliseconds(500));
    const UniqueFd file(dmmap::testing::open_file(heard, O_RDONLY));
    auto* const frames = reinterpret_cast<volatile std::int16_t*>(ring.bytes());
    for (int i = 0; i < samples; ++i) {
      off_t end = ::lseek(file.get(), 0, SEEK_END) / 2 * 2;
      count_info position{};
      must(fd.get(), SNDCTL_DSP_GETOPTR, position);
      const auto stored = Clock::now();
      const std::size_t at = (static_cast<std::size_t>(position.ptr) / 2 + kAhead) % (kRing / 2);
      frames[at] = kMarker;
      latencies.push_back(seen(file.get(), end, stored));
      frames[at] = 0;
      std::this_thread::sleep_for(milliseconds(50 + i % 20));
    }
  }
  server.kill(SIGTERM);
  server.wait(std::chrono::seconds(10));
  return latencies;
}

std::vector<double> through_pulseaudio(int samples) {
  const dmmap::testing::PulseServer pulse({"module-null-sink sink_name=null rate=48000 channels=1 format=s16le"});
  for (const std::string& word : pulse.environment()) {
    const std::size_t equals = word.find('=');
    ::setenv(word.substr(0, equals).c_str(), word.substr(equals + 1).c_str(), 1);
  }
  const pa_sample_spec spec{PA_SAMPLE_S16LE, kRate, 1};
  constexpr auto kAny = static_cast<std::uint32_t>(-1);
  const pa_buffer_attr playing{kAny, 4416, kAny, kAny, kAny};  // 46 ms
  const pa_buffer_attr recording{kAny, kAny, kAny, kAny, kPiece * 2};
  pa_simple* const out =
      pa_simple_new(nullptr, "bench", PA_STREAM_PLAYBACK, "null", "out", &spec, nullptr, &playing, nullptr);
  pa_simple* const in =
      pa_simple_new(nullptr, "bench", PA_STREAM_RECORD, "null.monitor", "in", &spec, nullptr, &recording, nullptr);
  if (out == nullptr || in == nullptr) {
    give_up("PulseAudio refuses a stream");
  }
  std::atomic<bool> wanted{false};
  std::atomic<bool> done{false};
  std::atomic<Clock::rep> stored{0};
  std::thread writer([&] {
    while (!done) {
      std::array<std::int16_t, kPiece> piece{};
      if (wanted.exchange(false)) {
        piece[0] = kMarker;
        stored = Clock::now().time_since_epoch().count();
      }
      pa_simple_write(out, piece.data(), sizeof piece, nullptr);
    }
  });
  std::vector<double> latencies;
  std::array<std::int16_t, kPiece> piece{};
  for (int i = -5; i < samples; ++i) {
    wanted = true;
    const auto begin = Clock::now();
    bool found = false;
    while (!found && milliseconds_since(begin) < 5000) {
      pa_simple_read(in, piece.data(), sizeof piece, nullptr);
      found = std::find(piece.begin(), piece.end(), kMarker) != piece.end();
    }
    if (i >= 0) {
      latencies.push_back(milliseconds_since(Clock::time_point(Clock::duration(stored.load()))));
    }
    std::this_thread::sleep_for(milliseconds(50 + i % 20));
    pa_simple_flush(in, nullptr);
  }
  done = true;
  writer.join();
  pa_simple_free(out);
  pa_simple_free(in);
  return latencies;
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::atoi(argv[1]) : 100;
  const std::vector<double> ours = through_mmap(samples);
  const std::vector<double> theirs = through_pulseaudio(samples);
  fmt::print("| from | median | 10 in 100 | 90 in 100 | most |\n| --- | --- | --- | --- | --- |\n");
  for (const auto& [name, values] : {std::pair{"a store into dmmap's ring, 5 ms ahead of its position", &ours},
                                     {"a write to PulseAudio's stream of 46 ms", &theirs}}) {
    fmt::print("| {} | {:.1f} ms | {:.1f} ms | {:.1f} ms | {:.1f} ms |\n", name, quantile(*values, 0.5),
               quantile(*values, 0.1), quantile(*values, 0.9), quantile(*values, 1));
  }
  fmt::print("ratio of the medians: {:.2f}\n", quantile(ours, 0.5) / quantile(theirs, 0.5));
  return 0;
}
