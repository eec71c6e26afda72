// `dmmap store` and power cuts: what was promised is there, and the store is sound.
//
// The store is on a disk of User Mode Linux's: an image, to which that kernel writes. Its memory is the page cache that
// a power cut loses, so killing it is one.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <sstream>
#include <thread>

#include "programs/store_promises.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"
#include "support/wish.h"

namespace dmmap::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr seconds kEnough{60};  // from switching on to anything that is waited for

std::string um_kernel() {
  const Outcome outcome = run({DMMAP_UM, "path", "--version", "6.12"}, kEnough);
  const std::string folder = outcome.out.substr(0, outcome.out.find('\n'));
  if (outcome.status != 0 || !needs::program(folder + "/linux").empty()) {
    return "there's no Linux 6.12 for User Mode Linux yet; kernel/um build --version 6.12 makes it";
  }
  return "";
}

// A machine that does what the words say to store_power_guest. Goes with all it has left, unless it was switched off.
class Machine {
 public:
  Machine(const std::filesystem::path& disk, const std::vector<std::string>& words) : process_(command(disk, words)) {}
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() {
    process_.kill(SIGTERM);
    process_.wait(kEnough);
  }

  [[nodiscard]] bool says(std::string_view text) { return process_.wait_for_output(text, kEnough); }
  [[nodiscard]] std::string log() const { return process_.out() + process_.err(); }

  // What it found to be lost at the cut before, and wasn't promised.
  [[nodiscard]] Lost lost() const {
    constexpr std::string_view kBefore = "\nlost: ";
    Lost lost;
    const std::string text = process_.out();
    if (const auto at = text.find(kBefore); at != std::string::npos) {
      std::istringstream(text.substr(at + kBefore.size())) >> lost.stored >> lost.made;
    }
    return lost;
  }

  void cut_power() {
    process_.kill(SIGUSR1);
    EXPECT_EQ(process_.wait(kEnough).status, 128 + SIGKILL) << "it had ended by itself:\n" << log();
    EXPECT_THAT(log(), Not(HasSubstr("Failure")));
  }
  void expect_end() { EXPECT_EQ(process_.wait(kEnough).status, 0) << log(); }

 private:
  static std::vector<std::string> command(const std::filesystem::path& disk, const std::vector<std::string>& words) {
    // kernel/um has to outlive the test for long enough to switch off.
    std::vector<std::string> all{"setpriv", "--pdeathsig", "TERM"};
    all.insert(all.end(), {DMMAP_UM, "run", "--version", "6.12", "--timeout", "120"});
    all.insert(all.end(), {"--disk", disk, "--", DMMAP_STORE_POWER_GUEST});
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }

  Process process_;
};

class StorePower : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(um_kernel());
    DMMAP_NEEDS(needs::program("mkfs.ext4"));
    const Outcome outcome = run({"mkfs.ext4", "-q", disk(), "1G"}, kEnough);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }

  [[nodiscard]] std::filesystem::path disk() const { return directory_ / "disk"; }
  [[nodiscard]] std::filesystem::path promises() const { return directory_ / "promises"; }

 private:
  TemporaryDirectory directory_;
};

TEST_F(StorePower, CutLosesNothingPromisedAndLeavesTheStoreSound) {
  constexpr std::uint64_t kVersionsEach = 1000000;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  Lost lost;
  const auto cuts = static_cast<unsigned>(wished("DMMAP_KILLS", 5));
  for (unsigned round = 1; round <= cuts && !HasFailure(); ++round) {
    Machine machine(disk(), {"change", promises(), std::to_string(round * kVersionsEach)});
    // Some cuts hit the making of the store, or its recovery; most, what programs do to it.
    const bool early = round % 4 == 1;
    ASSERT_TRUE(machine.says(early ? "on the disk" : "at work")) << machine.log();
    std::this_thread::sleep_for(milliseconds(random() % (early ? 500 : 1500)));
    machine.cut_power();
    lost += machine.lost();
  }
  if (!HasFailure()) {
    Machine machine(disk(), {"compare", promises()});
    machine.expect_end();
    lost += machine.lost();
  }
  EXPECT_FALSE(read_versions(promises()).empty()) << "the clients got nowhere";
  std::printf("%u cuts; of what wasn't synced, %u stores and %u changes of a time are lost\n", cuts, lost.stored,
              lost.made);
}

// Without that the other test could show nothing.
TEST_F(StorePower, CutLosesWhatWasntSynced) {
  {
    Machine machine(disk(), {"write"});
    ASSERT_TRUE(machine.says("at work")) << machine.log();
    machine.cut_power();
  }
  Machine machine(disk(), {"look"});
  machine.expect_end();
  EXPECT_THAT(machine.log(), HasSubstr("\nsynced is there"));
  EXPECT_THAT(machine.log(), HasSubstr("unsynced is lost"));
}

}  // namespace
}  // namespace dmmap::testing
