// dmmap probe: the truth about this machine, for people and for programs.
#include <dmmap/probe.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "cli/probe_report.h"
#include "mount/mounted.h"
#include "support/mounts.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

TEST(ProbeTest, FindsWhatTheMachineHas) {
  DMMAP_NEEDS(needs::mounting());
  const bool passthrough = needs::passthrough().empty();
  const auto mounts = all_mounts().size();
  const auto report = probe();
  ASSERT_TRUE(report);
  ASSERT_TRUE(report->mount);
  EXPECT_EQ(report->mount->has(Feature::passthrough), passthrough) << report->mount->why_not(Feature::passthrough);
  EXPECT_EQ(report->tiers.at(0).name, "open/shared");
  EXPECT_EQ(report->tiers.at(0).have, passthrough) << report->tiers.at(0).detail;
  EXPECT_EQ(report->tiers.at(1).name, "open/paged");
  EXPECT_TRUE(report->tiers.at(1).have);
  EXPECT_EQ(all_mounts().size(), mounts) << "nothing is left mounted";
  for (const auto* rows : {&report->findings, &report->tiers}) {
    for (const Finding& each : *rows) {
      EXPECT_EQ(each.have, each.remedy.empty()) << each.name << ": what is missing has a remedy";
    }
  }
}

TEST(ProbeTest, WhoIsAskedAtEachMmapIsSaid) {
  DMMAP_NEEDS(needs::mounting());
  const auto report = probe();
  ASSERT_TRUE(report);
  ASSERT_EQ(report->tiers.size(), 4U);
  EXPECT_EQ(report->tiers[2].name, "preload");
  EXPECT_TRUE(report->tiers[2].have);
  EXPECT_NE(report->tiers[2].detail.find("dmmap run"), std::string::npos) << report->tiers[2].detail;
  EXPECT_EQ(report->tiers[3].name, "kernel");
  const bool patched = std::getenv("DMMAP_KERNEL_PATCHED") != nullptr;
  EXPECT_EQ(report->tiers[3].have, patched) << "no stock kernel asks";
  EXPECT_EQ(report->tiers[3].detail.find("FUSE_MMAP") == std::string::npos, patched) << report->tiers[3].detail;
}

TEST(ProbeTest, WithoutPrivilegeItSaysWhatIsMissing) {
  DMMAP_NEEDS(needs::passthrough());
  DMMAP_NEEDS(needs::program("fusermount3"));
  const TemporaryDirectory directory;
  ASSERT_TRUE(let_everyone_open_fuse(directory.path()));
  EXPECT_EQ(in_child([] {
              if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
                return 10;
              }
              const auto report = probe();
              if (!report || !report->mount) {
                return 11;
              }
              if (report->tiers.at(0).have || !report->tiers.at(1).have) {
                return 12;
              }
              if (report->tiers.at(0).detail.find("CAP_SYS_ADMIN") == std::string::npos) {
                return 13;
              }
              std::ostringstream out;
              std::ostringstream err;
              if (cli::run({"probe"}, out, err) != 0) {
                return 14;
              }
              return out.str().find("rings are paged: passthrough: this process lacks") == std::string::npos ? 15 : 0;
            }),
            0);
}

TEST(ProbeTest, TheJsonIsWhatItSays) {
  DMMAP_NEEDS(needs::mounting());
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(cli::run({"probe", "--json"}, out, err), 0) << err.str();
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json.at("fuse").get<std::string>().substr(0, 2), "7.");
  bool passthrough = false;
  for (const auto& finding : json.at("findings")) {
    passthrough = passthrough || finding.at("name") == "passthrough";
  }
  EXPECT_TRUE(passthrough);
  EXPECT_GE(json.at("features").size(), 30U);
  std::vector<std::string> tiers;
  for (const auto& tier : json.at("tiers")) {
    tiers.push_back(tier.at("name"));
  }
  EXPECT_EQ(tiers, (std::vector<std::string>{"open/shared", "open/paged", "preload", "kernel"}));
  std::vector<std::string> servers;
  for (const auto& server : json.at("servers")) {
    servers.push_back(server.at("name"));
    EXPECT_EQ(server.at("have").get<bool>(), server.at("remedy").get<std::string>().empty());
  }
  EXPECT_EQ(servers, (std::vector<std::string>{"camera", "sound"}));
}

TEST(ProbeTest, TheTableHasARowAndARemedyForEachThingMissing) {
  ProbeReport report;
  report.kernel = "1.2.3";
  report.findings.push_back({"device", false, "No such file", "do this"});
  report.tiers.push_back({"open/shared", false, "why", "that"});
  const std::string table = cli::table_of(report, {{"sound", false, "no rings", "these"}});
  for (const char* part : {"no  sound", "no rings", "to have it: these", "Linux 1.2.3", "no  device", "No such file",
                           "to have it: do this", "open/shared", "that"}) {
    EXPECT_NE(table.find(part), std::string::npos) << part << " in\n" << table;
  }
}

TEST(CommandLineTest, WrongWordsAreUsageErrors) {
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(cli::run({}, out, err), 2);
  EXPECT_EQ(cli::run({"nonsense"}, out, err), 2);
  EXPECT_EQ(cli::run({"probe", "--nonsense"}, out, err), 2);
  EXPECT_EQ(cli::run({"--help"}, out, err), 0);
  EXPECT_EQ(cli::run({"--version"}, out, err), 0);
  EXPECT_NE(out.str().find("dmmap 0.1.0"), std::string::npos);
}

}  // namespace
}  // namespace dmmap::testing
