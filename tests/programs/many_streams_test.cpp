// Sixty-four programs at once, and a machine that is busy otherwise, for a minute.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "programs/sound_server.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/sanitizers.h"

namespace dmmap::testing {
namespace {

using std::chrono::seconds;

// A server that checks each of its memory accesses has so much less time for each stream.
constexpr std::size_t kEach = kSanitized ? 8 : 32;
constexpr unsigned kSeconds = kSanitized ? 10 : 60;

// Half of them map, half have it all written by one write(2) that blocks: so none of them can be late itself.
TEST(ManyStreamsTest, PlayUnderLoadWithoutAnUnderrun) {
  DMMAP_NEEDS(needs::passthrough());
  DMMAP_NEEDS(needs::program("stress-ng"));
  SoundServer server({.rate = 48000, .channels = 2, .recording = {}, .environment = {}, .user = {}, .sink = "null"});
  ASSERT_TRUE(server.ready()) << server.log();
  Process load({"stress-ng", "--cpu", "2", "--timeout", std::to_string(kSeconds + 60)});
  std::vector<std::unique_ptr<Process>> mappers;
  std::vector<std::unique_ptr<Process>> writers;
  for (std::size_t i = 0; i < kEach; ++i) {
    mappers.push_back(std::make_unique<Process>(std::vector<std::string>{DMMAP_DSP_CLIENT, server.dsp(), "map"}));
    writers.push_back(std::make_unique<Process>(
        std::vector<std::string>{DMMAP_DSP_CLIENT, server.dsp(), "write", std::to_string(kSeconds * 16'000)}));
  }
  for (const auto& writer : writers) {
    const Ended ended = writer->wait(seconds(kSeconds + 40));
    EXPECT_FALSE(ended.timed_out);
    EXPECT_EQ(ended.status, 0) << writer->out();
  }
  const Outcome status = run({DMMAP_PROGRAM, "sound", "status", server.mountpoint(), "--json"}, seconds(20));
  ASSERT_EQ(status.status, 0) << status.err;
  const auto json = nlohmann::json::parse(status.out);
  EXPECT_EQ(json["totals"]["streams"], 2 * kEach);
  EXPECT_EQ(json["totals"]["underruns"], 0);
  RecordProperty("slips", json["totals"]["slips"].dump());
  ASSERT_EQ(json["streams"].size(), kEach);
  for (const auto& stream : json["streams"]) {
    EXPECT_GE(stream["playback"]["seconds"], kSeconds - 1);  // a slip's time isn't played
    EXPECT_EQ(stream["playback"]["path"], "mmap");
  }
  for (const auto& mapper : mappers) {
    mapper->kill(SIGKILL);
    mapper->wait(seconds(20));
  }
  load.kill(SIGTERM);
  load.wait(seconds(20));
  server.end();
}

}  // namespace
}  // namespace dmmap::testing
