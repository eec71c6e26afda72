// dmmap probe: the truth about this machine, for people and for programs.
#include <dmmap/probe.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

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
  EXPECT_EQ(all_mounts().size(), mounts) << "nothing is left mounted";
  for (const Finding& each : report->findings) {
    EXPECT_EQ(each.have, each.remedy.empty()) << each.name << ": what is missing has a remedy";
  }
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
              return report->tiers.at(0).detail.find("CAP_SYS_ADMIN") == std::string::npos ? 13 : 0;
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
}

TEST(ProbeTest, TheTableHasARowAndARemedyForEachThingMissing) {
  ProbeReport report;
  report.kernel = "1.2.3";
  report.findings.push_back({"device", false, "No such file", "do this"});
  report.tiers.push_back({"open/shared", false, "why", "that"});
  const std::string table = cli::table_of(report);
  for (const char* part : {"Linux 1.2.3", "no  device", "No such file", "to have it: do this", "open/shared", "that"}) {
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
