// dmmap regions: who holds what, of real servers and real programs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cli/app.h"
#include "mount/mounted.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/text.h"

namespace dmmap::testing {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kPatience{20};

// Maps the file for reading and writing and for reading alone, forks, and waits.
constexpr const char* kHolds = R"(
import mmap, os, sys, time
file = open(sys.argv[1], 'r+b', buffering=0)
both = mmap.mmap(file.fileno(), 8192)
one = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ, offset=4096)
child = os.fork()
if child:
    print('holds', os.getpid(), child, flush=True)
time.sleep(60)
)";

struct Told {
  int status = 0;
  std::string out;
  std::string err;
};

Told regions_of(const std::string& mountpoint, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"regions", mountpoint};
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::ostringstream out;
  std::ostringstream err;
  const int status = cli::run(arguments, out, err);
  return {status, out.str(), err.str()};
}

json listing_of(const std::string& mountpoint) {
  const Told told = regions_of(mountpoint, {"--json"});
  EXPECT_EQ(told.status, 0) << told.err;
  return json::parse(told.out);
}

// Who is asked for a program that doesn't ask itself.
std::string tier_of_all() {
  return std::getenv("DMMAP_KERNEL_PATCHED") != nullptr ? "kernel" : "open";
}

class RegionsTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::passthrough()); }
  void serve(const std::string& example) {
    server_ = std::make_unique<Process>(
        std::vector<std::string>{std::string(DMMAP_EXAMPLES) + "/" + example, directory_.path().string()});
    ASSERT_TRUE(wait_until([this] { return is_mounted(directory_.path()); }, kPatience)) << server_->err();
  }
  void hold(std::vector<std::string> before, const std::string& file) {
    before.insert(before.end(), {"/usr/bin/python3", "-c", kHolds, (directory_ / file).string()});
    client_ = std::make_unique<Process>(before);
    ASSERT_TRUE(client_->wait_for_output("holds", kPatience)) << client_->err();
    std::istringstream words(client_->out());
    std::string word;
    words >> word >> parent_ >> child_;
  }
  void let_go() {
    client_->kill(SIGKILL);
    client_->wait(kPatience);
    ::kill(child_, SIGKILL);
  }
  [[nodiscard]] std::string mountpoint() const { return directory_.path().string(); }

  TemporaryDirectory directory_;
  std::unique_ptr<Process> server_;
  std::unique_ptr<Process> client_;
  pid_t parent_ = 0;
  pid_t child_ = 0;  // the client's, which this test ends
};

TEST_F(RegionsTest, MappingsAreTheKernelsOwn) {
  serve("shared_buffer");
  hold({}, "buffer");
  const json listing = listing_of(mountpoint());
  ASSERT_EQ(listing["regions"].size(), 1U);
  const json& region = listing["regions"][0];
  EXPECT_EQ(region["kind"], "shared");
  EXPECT_EQ(region["in_use"], true);
  ASSERT_EQ(region["mappings"].size(), 4U) << region.dump(2);
  for (const pid_t process : {parent_, child_}) {
    for (const bool both : {true, false}) {
      const json expected{{"process", process},        {"program", "python3"},         {"prot", both ? "rw-s" : "r--s"},
                          {"offset", both ? 0 : 4096}, {"length", both ? 8192 : 4096}, {"tier", tier_of_all()}};
      EXPECT_TRUE(std::any_of(region["mappings"].begin(), region["mappings"].end(),
                              [&](json mapping) {
                                mapping.erase("address");
                                return mapping == expected;
                              }))
          << expected << region.dump(2);
    }
  }
  const Told table = regions_of(mountpoint());
  EXPECT_EQ(table.status, 0);
  EXPECT_NE(table.out.find(std::to_string(child_)), std::string::npos) << table.out;
  let_go();
  EXPECT_TRUE(wait_until([&] { return listing_of(mountpoint())["regions"].empty(); }, kPatience));
  EXPECT_NE(regions_of(mountpoint()).out.find("nobody has a region"), std::string::npos);
}

TEST_F(RegionsTest, WhatWasGrantedAtMmapIsToldApart) {
  serve("by_mmap");
  hold({DMMAP_PROGRAM, "run"}, "duplex");
  const json listing = listing_of(mountpoint());
  ASSERT_EQ(listing["regions"].size(), 2U) << listing.dump(2);
  for (const json& region : listing["regions"]) {
    const bool playback = region["name"] == "playback";
    ASSERT_EQ(region["mappings"].size(), 2U) << region.dump(2);
    for (const json& mapping : region["mappings"]) {
      EXPECT_EQ(mapping["tier"], "preload");
      EXPECT_EQ(mapping["prot"], playback ? "rw-s" : "r--s");
      EXPECT_TRUE(mapping["process"] == parent_ || mapping["process"] == child_);
    }
  }
  EXPECT_TRUE(listing["other_mappings"].empty());
  let_go();
  EXPECT_TRUE(wait_until([&] { return listing_of(mountpoint())["regions"].empty(); }, kPatience));
}

TEST_F(RegionsTest, WhoHasAFileOpenIsToldWithoutAMapping) {
  serve("private_buffers");
  const int fd = open_file(directory_ / "buffer", O_RDWR);
  ASSERT_GE(fd, 0);
  const json region = listing_of(mountpoint())["regions"][0];
  EXPECT_TRUE(region["mappings"].empty());
  ASSERT_EQ(region["holdings"].size(), 1U);
  EXPECT_EQ(region["holdings"][0]["process"], ::getpid());
  EXPECT_NE(regions_of(mountpoint()).out.find("open, not mapped"), std::string::npos);
  ::close(fd);
}

TEST_F(RegionsTest, WatchingTellsRates) {
  serve("live_counter");
  const int fd = open_file(directory_ / "counter", O_RDONLY);
  ASSERT_GE(fd, 0);
  const ClientMap map(fd, 4096, PROT_READ, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  EXPECT_NE(map.bytes()[0], 255);
  Process watch({DMMAP_PROGRAM, "regions", mountpoint(), "--watch=0.2"});
  EXPECT_TRUE(watch.wait_for_output("/s", kPatience)) << watch.err();
  watch.kill(SIGINT);
  EXPECT_EQ(watch.wait(kPatience).status, 0);
  EXPECT_NE(watch.out().find("paged"), std::string::npos);
  EXPECT_EQ(watch.out().find('\033'), std::string::npos) << "not to a file";
  Process lines({DMMAP_PROGRAM, "regions", mountpoint(), "--watch=0.2", "--json"});
  EXPECT_TRUE(wait_until([&] { return count(lines.out(), "\n") >= 2; }, kPatience));
  lines.kill(SIGTERM);
  EXPECT_EQ(lines.wait(kPatience).status, 0);
  std::istringstream out(lines.out());
  std::string line;
  ASSERT_TRUE(std::getline(out, line));
  const json first = json::parse(line);
  EXPECT_EQ(first["regions"][0]["resident"], 4096);
  EXPECT_GE(first["regions"][0]["faults"], 1);
  ::close(fd);
}

TEST_F(RegionsTest, OthersAreNotToldAndNoListingShowsIt) {
  serve("shared_buffer");
  const Outcome nobody =
      run({DMMAP_PROGRAM, "regions", mountpoint()}, kPatience, {.environment = {}, .directory = {}, .user = 65534});
  EXPECT_EQ(nobody.status, 1);
  EXPECT_NE(nobody.err.find("root"), std::string::npos) << nobody.err;
  EXPECT_EQ(run({"ls", "-A", mountpoint()}, kPatience).out, "buffer\n");
  const Outcome attribute =
      run({"/usr/bin/python3", "-c", "import os, sys; print(os.getxattr(sys.argv[1], 'user.dmmap.region'))",
           (directory_ / "buffer").string()},
          kPatience);
  EXPECT_NE(attribute.err.find("No data"), std::string::npos) << attribute.err << "an inode of its own shows nothing";
}

TEST_F(RegionsTest, WhatIsNoMountOfOursIsSaid) {
  EXPECT_NE(regions_of(mountpoint()).err.find("isn't a mount of dmmap's"), std::string::npos);
  EXPECT_NE(regions_of((directory_ / "missing").string()).err.find("isn't there"), std::string::npos);
  EXPECT_EQ(regions_of(mountpoint()).status, 1);
  EXPECT_EQ(regions_of(mountpoint(), {"--watch=0"}).status, 2);
}

TEST_F(RegionsTest, AServerThatHangsHoldsNobodyUp) {
  serve("shared_buffer");
  server_->kill(SIGSTOP);
  const auto begin = std::chrono::steady_clock::now();
  const Outcome told = run({DMMAP_PROGRAM, "regions", mountpoint()}, kPatience);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(told.status, 1);
  EXPECT_NE(told.err.find("doesn't answer"), std::string::npos) << told.err;
  server_->kill(SIGCONT);
}

}  // namespace
}  // namespace dmmap::testing
