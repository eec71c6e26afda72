// Programs that are asked for at each mmap, by `dmmap run`: those that map both directions of one open, those that
// insist on a character device, and those that have nothing to do with it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "programs/players.h"
#include "programs/pulse_duplex.h"
#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

using std::chrono::seconds;

std::vector<std::string> with_run(std::vector<std::string> words) {
  words.insert(words.begin(), {DMMAP_PROGRAM, "run"});
  return words;
}

TEST(ByMmapProgramsTest, PulseaudioPlaysAndRecordsAtOnce) {
  DMMAP_NEEDS(needs::passthrough());
  plays_and_records_at_once({.recording = {}, .environment = {}, .ring = "shared", .user = {}}, with_run({}));
}

TEST(ByMmapProgramsTest, PulseaudioPlaysAndRecordsAtOnceInPagedRings) {
  DMMAP_NEEDS(needs::mounting());
  DMMAP_NEEDS(needs::kernel(6, 6));
  plays_and_records_at_once({.recording = {}, .environment = {}, .ring = "paged", .user = {}}, with_run({}));
}

// SDL 1.2's dma driver; what it maps is granted at mmap, and at no other time.
TEST(ByMmapProgramsTest, SdlPlaysWhatIsGrantedAtMmapAlone) {
  DMMAP_NEEDS(needs::passthrough());
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(SoundServerOptions{.recording = {}, .environment = {}, .user = {}, .more = {"--tier", "preload"}});
  ASSERT_TRUE(server.ready()) << server.log();
  const Audio original = noise(8000, 1, 2, 43);
  const auto file = saved(server, "original.wav", original);
  const Outcome plain = run(mplayer(file), kPlaying, sdl(server, "dma"));
  EXPECT_EQ(server.log().find("mmap,"), std::string::npos) << "nothing can be mapped without being asked for";
  const Outcome asked = run(with_run(mplayer(file)), kPlaying, sdl(server, "dma"));
  EXPECT_EQ(asked.status, 0) << asked.err;
  EXPECT_NE(server.log().find("through mmap"), std::string::npos) << server.log();
  expect_exact(original, server.finish());
}

// Its ring is what it has mapped, the descriptor being closed.
constexpr const char* kCloses = R"(
import ctypes, fcntl, os, struct, sys, time, wave
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
sound = wave.open(sys.argv[2])
frames = sound.readframes(sound.getnframes())
dsp = os.open(sys.argv[1], os.O_RDWR)
for command, value in ((0xc0045005, 16), (0xc0045006, 1), (0xc0045002, 8000), (0xc004500a, 0x0004000f), (0x40045010, 0)):
    fcntl.ioctl(dsp, command, struct.pack('i', value))
ring = libc.mmap(None, 131072, 2, 1, dsp, 0)
assert ring != ctypes.c_void_p(-1).value
ctypes.memmove(ring, frames, len(frames))
fcntl.ioctl(dsp, 0x40045010, struct.pack('i', 2))
os.close(dsp)
time.sleep(len(frames) / 16000)
libc.munmap(ring, 131072)
time.sleep(0.5)
)";

TEST(ByMmapProgramsTest, ARingOutlivesItsDescriptor) {
  DMMAP_NEEDS(needs::passthrough());
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  Audio original = noise(8000, 1, 2, 44);
  const auto file = server.directory() / "short.wav";
  ASSERT_TRUE(write_wav(file, original));
  const Outcome python = run(with_run({"/usr/bin/python3", "-c", kCloses, server.dsp(), file}), kPlaying);
  EXPECT_EQ(python.status, 0) << python.err;
  const Audio heard = server.finish();
  original.samples.resize(original.samples.size() - 800);  // the last is played for as long as it was slept
  const Match match = compare(original, heard);
  EXPECT_TRUE(match.exact) << describe(match, original, heard);
  EXPECT_LT(heard.seconds(), 2.6) << "and no longer than it's mapped";
}

// It looks whether what it opens is a character device, and plays to nothing else.
TEST(ByMmapProgramsTest, FluidsynthInsistsOnACharacterDevice) {
  DMMAP_NEEDS(needs::passthrough());
  DMMAP_NEEDS(needs::program("fluidsynth"));
  SoundServer server(44100, 2);
  ASSERT_TRUE(server.ready()) << server.log();
  const auto song = server.directory() / "song.mid";
  const unsigned char notes[] = {'M',  'T', 'h', 'd',  0,    0,  0, 6, 0,    0,    0,    1, 0,
                                 96,   'M', 'T', 'r',  'k',  0,  0, 0, 15,   0,    0xc0, 0, 0,
                                 0x90, 60,  100, 0x60, 0x80, 60, 0, 0, 0xff, 0x2f, 0};
  std::ofstream(song, std::ios::binary).write(reinterpret_cast<const char*>(notes), sizeof notes);
  const std::vector<std::string> words{"fluidsynth",
                                       "-a",
                                       "oss",
                                       "-o",
                                       "audio.oss.device=" + server.dsp().string(),
                                       "-i",
                                       "-n",
                                       "/usr/share/sounds/sf2/TimGM6mb.sf2",
                                       song.string()};
  run(words, kPlaying);
  EXPECT_EQ(server.log().find("fluidsynth"), std::string::npos) << server.log();
  const Outcome asked = run(with_run(words), kPlaying);
  EXPECT_EQ(asked.status, 0) << asked.err;
  EXPECT_NE(server.log().find("played"), std::string::npos) << server.log();
  const Audio heard = server.finish();
  EXPECT_TRUE(std::any_of(heard.samples.begin(), heard.samples.end(), [](auto sample) { return sample != 0; }));
}

// What they print, and what they leave, is the same with and without.
TEST(ByMmapProgramsTest, ProgramsThatHaveNothingToDoWithItAreUnharmed) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "hello.cpp") << "#include <iostream>\nint main() { std::cout << \"built\\n\"; }\n";
  const std::vector<std::pair<std::string, std::vector<std::string>>> programs{
      {"bash", {"bash", "-c", "for i in 1 2 3; do echo $i; done | sort -r; (exec 9>&1; echo nine >&9); true & wait"}},
      {"python3",
       {"python3", "-c",
        "import mmap, tempfile, subprocess, multiprocessing as m\n"
        "f = tempfile.TemporaryFile(); f.truncate(8192); a = mmap.mmap(f.fileno(), 4096); a[0] = 7\n"
        "a.resize(8192); print(a[0], mmap.mmap(f.fileno(), 0)[0])\n"
        "print(subprocess.run(['echo', 'child'], capture_output=True, close_fds=True).stdout)\n"
        "print(m.get_context('fork').Pool(2).map(abs, range(-9, 0)))"}},
      {"git",
       {"bash", "-c",
        "rm -rf repo && git init -q repo && cd repo && seq 100000 > n && git add n && "
        "git -c user.name=n -c user.email=e commit -qm n && git gc -q && git fsck 2>&1 && git show HEAD:n | md5sum"}},
      {"g++", {"bash", "-c", "g++ -O1 -o hello hello.cpp && ./hello"}},
      {"sqlite3",
       {"sqlite3", ":memory:", "PRAGMA mmap_size=1000000; CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);",
        "SELECT sum(a) FROM t;"}},
      {"node",
       {"node", "-e",
        "const c = require('child_process'); console.log(c.execSync('echo child').toString(), "
        "[...Array(1000).keys()].reduce((a, b) => a + b))"}},
      {"java", {"java", "-version"}}};
  for (const auto& [program, words] : programs) {
    DMMAP_NEEDS(needs::program(program));
    const ProcessOptions there{
        .environment = {"HOME=" + directory.path().string()}, .directory = directory.path(), .user = {}};
    const Outcome plain = run(words, kPlaying, there);
    const Outcome with = run(with_run(words), kPlaying, there);
    EXPECT_EQ(with.status, 0) << program << ": " << with.err;
    EXPECT_EQ(with.out, plain.out) << program;
    EXPECT_EQ(with.err, plain.err) << program;
  }
}

TEST(ByMmapProgramsTest, WhatCannotBeAskedForIsSaidAndRunsAllTheSame) {
  const Outcome statically = run(with_run({"/sbin/ldconfig", "--version"}), kPlaying);
  EXPECT_EQ(statically.status, 0);
  EXPECT_NE(statically.err.find("is statically linked"), std::string::npos) << statically.err;
  const TemporaryDirectory directory;
  std::filesystem::copy("/bin/true", directory / "true");
  std::filesystem::permissions(directory / "true", std::filesystem::perms::set_uid | std::filesystem::perms::owner_all |
                                                       std::filesystem::perms::others_all);
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  ASSERT_EQ(::chown((directory / "true").c_str(), 65534, 65534), 0);
  std::filesystem::permissions(directory / "true", std::filesystem::perms::set_uid | std::filesystem::perms::owner_all |
                                                       std::filesystem::perms::others_all);
  const Outcome set_uid = run(with_run({directory / "true"}), kPlaying);
  EXPECT_EQ(set_uid.status, 0);
  EXPECT_NE(set_uid.err.find("set-uid"), std::string::npos) << set_uid.err;
  std::ofstream(directory / "script") << "#!/sbin/ldconfig --version\n";
  std::filesystem::permissions(directory / "script", std::filesystem::perms::all);
  const Outcome script = run(with_run({directory / "script"}), kPlaying);
  EXPECT_NE(script.err.find("which runs"), std::string::npos) << script.err;
  EXPECT_EQ(run(with_run({"no-such-program"}), kPlaying).status, 127);
  EXPECT_EQ(run(with_run({"/etc/passwd"}), kPlaying).status, 126);
  EXPECT_EQ(run(with_run({}), kPlaying).status, 2);
  EXPECT_EQ(run({DMMAP_PROGRAM, "run", "--", "sh", "-c", "exit 7"}, kPlaying).status, 7);
}

}  // namespace
}  // namespace dmmap::testing
