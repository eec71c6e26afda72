// A running server looked at and told what to do: `dmmap sound status` and its kin, on a real mount.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "programs/players.h"
#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

using std::chrono::seconds;

class StatusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(server_.ready()) << server_.log();
  }
  Outcome dmmap(std::vector<std::string> words) {
    words.insert(words.begin(), {DMMAP_PROGRAM, "sound"});
    return run(words, seconds(20));
  }
  std::string status() {
    const Outcome shown = dmmap({"status", server_.mountpoint()});
    EXPECT_EQ(shown.status, 0) << shown.err;
    return shown.out;
  }
  SoundServer server_{{.recording = {}, .environment = {}, .user = {}, .more = {"--metrics", "127.0.0.1:0"}}};
};

TEST_F(StatusTest, ShowsWhatPlaysAndHow) {
  Process mapper({DMMAP_DSP_CLIENT, server_.dsp(), "map"});
  ASSERT_TRUE(mapper.wait_for_output("playing", seconds(20)));
  Process writer({DMMAP_DSP_CLIENT, server_.dsp(), "write", "48000"});
  ASSERT_TRUE(server_.says(", write"));
  const std::string shown = status();
  for (const Process* each : {&mapper, &writer}) {
    EXPECT_NE(shown.find("dsp_client[" + std::to_string(each->pid()) + "]"), std::string::npos) << shown;
  }
  EXPECT_NE(shown.find("plays   mmap  S16_LE 8000 Hz mono"), std::string::npos) << shown;
  EXPECT_NE(shown.find("plays   write S16_LE 8000 Hz mono"), std::string::npos) << shown;
  const Outcome json = dmmap({"status", server_.mountpoint(), "--json"});
  EXPECT_TRUE(json.out.starts_with("{") && json.out.ends_with("}\n")) << json.out;
  mapper.kill(SIGKILL);
  writer.kill(SIGKILL);
  mapper.wait(seconds(20));
  writer.wait(seconds(20));
  EXPECT_TRUE(wait_until([&] { return status().find("dsp_client") == std::string::npos; }, seconds(20)));
}

// One of two is muted: the other is heard as if it were alone.
TEST_F(StatusTest, AMutedStreamIsNotHeardAndOthersAre) {
  Process mapper({DMMAP_DSP_CLIENT, server_.dsp(), "map"});
  ASSERT_TRUE(server_.says(", mmap"));
  const std::string log = server_.log();
  const std::size_t at = log.find("stream ") + 7;
  const std::string number = log.substr(at, log.find(':', at) - at);
  ASSERT_EQ(dmmap({"mute", server_.mountpoint(), number}).status, 0);
  EXPECT_NE(status().find("100% muted"), std::string::npos);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // until the ramp is over
  const Audio original = noise(8000, 1, 2, 41);
  const Outcome played = run(mplayer(saved(server_, "original.wav", original)), kPlaying, sdl(server_, "dsp"));
  EXPECT_EQ(played.status, 0) << played.err;
  mapper.kill(SIGKILL);
  mapper.wait(seconds(20));
  expect_exact(original, server_.finish());
}

TEST_F(StatusTest, WhatCanNotBeDoneIsSaid) {
  const std::string mount = server_.mountpoint().string();
  EXPECT_NE(dmmap({"volume", mount, "99", "50"}).err.find("no such stream"), std::string::npos);
  EXPECT_NE(dmmap({"volume", mount, "master", "101"}).err.find("0 to 100"), std::string::npos);
  EXPECT_NE(dmmap({"mute", mount, "everything"}).err.find("say master"), std::string::npos);
  EXPECT_NE(dmmap({"status", server_.directory()}).err.find("name the directory"), std::string::npos);
  EXPECT_EQ(dmmap({"volume", mount, "master", "50:70"}).status, 0);
  EXPECT_TRUE(status().starts_with("master 50:70%, pcm 100%, recording 100%"));
  EXPECT_EQ(dmmap({"status"}).status, 2);
  EXPECT_EQ(dmmap({}).status, 2);
}

TEST_F(StatusTest, MetricsAreServedAndTotalsGoOnWhenStreamsEnd) {
  DMMAP_NEEDS(needs::program("curl"));
  const std::string log = server_.log();
  const std::size_t at = log.find("http://127.0.0.1:");
  ASSERT_NE(at, std::string::npos) << log;
  const std::string url = log.substr(at, log.find('\n', at) - at);
  const auto metrics = [&url] {
    const Outcome curl = run({"curl", "-sS", "--max-time", "10", url}, seconds(20));
    EXPECT_EQ(curl.status, 0) << curl.err;
    return curl.out;
  };
  Process mapper({DMMAP_DSP_CLIENT, server_.dsp(), "map"});
  ASSERT_TRUE(server_.says(", mmap"));
  EXPECT_NE(metrics().find("program=\"dsp_client\""), std::string::npos);
  mapper.kill(SIGKILL);
  mapper.wait(seconds(20));
  EXPECT_TRUE(
      wait_until([&] { return metrics().find("\ndmmap_sound_streams 0\n") != std::string::npos; }, seconds(20)));
  EXPECT_NE(metrics().find("\ndmmap_sound_streams_opened_total 1\n"), std::string::npos);
  // By write(2), and late: one underrun, which is counted when the stream has gone.
  constexpr const char* kLate = R"(
import os, sys, time
dsp = os.open(sys.argv[1], os.O_WRONLY)
for piece in range(2):
    os.write(dsp, bytes(8000))
    time.sleep(1.5)
os.close(dsp)
)";
  EXPECT_EQ(run({"/usr/bin/python3", "-c", kLate, server_.dsp()}, seconds(20)).status, 0);
  EXPECT_TRUE(
      wait_until([&] { return metrics().find("\ndmmap_sound_streams 0\n") != std::string::npos; }, seconds(20)));
  EXPECT_NE(metrics().find("\ndmmap_sound_underruns_total 1\n"), std::string::npos) << metrics();
  EXPECT_EQ(run({DMMAP_PROGRAM, "sound", "--metrics", "nowhere", server_.directory()}, seconds(20)).status, 2);
}

TEST_F(StatusTest, AServerThatIsStoppedIsAnErrorAndNotAWait) {
  server_.process().kill(SIGSTOP);
  const Outcome shown = dmmap({"status", server_.mountpoint()});
  server_.process().kill(SIGCONT);
  EXPECT_FALSE(shown.timed_out);
  EXPECT_EQ(shown.status, 1);
  EXPECT_NE(shown.err.find("doesn't answer"), std::string::npos) << shown.err;
  EXPECT_TRUE(status().starts_with("master"));
}

}  // namespace
}  // namespace dmmap::testing
