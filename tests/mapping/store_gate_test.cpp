// The gate of stores into the page cache: who is let in, and who waits.
#include "mapping/store_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

namespace dmmap::mapping {
namespace {

TEST(StoreGateTest, PassesForOtherBytesGoTogetherThoseForTheSameDoNot) {
  StoreGate gate;
  const StoreGate::Pass first(gate, {0, 100});
  EXPECT_TRUE(static_cast<bool>(first));
  EXPECT_FALSE(static_cast<bool>(StoreGate::Pass(gate, {99, 200})));
  EXPECT_TRUE(static_cast<bool>(StoreGate::Pass(gate, {100, 200})));
  EXPECT_TRUE(static_cast<bool>(StoreGate::Pass(gate, {100, 200}))) << "the one before is given back";
  EXPECT_EQ(gate.holders(), std::vector<ThreadId>{this_thread()});
}

TEST(StoreGateTest, ShutItGivesNoneAndOpensAfterAsMany) {
  StoreGate gate;
  gate.shut();
  {
    const StoreGate::Shut again(gate);
    EXPECT_FALSE(static_cast<bool>(StoreGate::Pass(gate, {0, 1})));
  }
  EXPECT_FALSE(static_cast<bool>(StoreGate::Pass(gate, {0, 1})));
  gate.open();
  EXPECT_TRUE(static_cast<bool>(StoreGate::Pass(gate, {0, 1})));
  EXPECT_TRUE(gate.holders().empty());
}

TEST(StoreGateTest, ShutForSomeBytesItIsOpenForOthers) {
  StoreGate gate;
  const StoreGate::Pass pass(gate, {0, 100});
  {
    StoreGate::Shut some(gate, {100, 200});
    some.wait();  // for nobody: the pass is for others
    EXPECT_FALSE(static_cast<bool>(StoreGate::Pass(gate, {199, 300})));
    EXPECT_TRUE(static_cast<bool>(StoreGate::Pass(gate, {200, 300})));
    EXPECT_TRUE(gate.holders({100, 200}).empty());
  }
  EXPECT_TRUE(static_cast<bool>(StoreGate::Pass(gate, {100, 200})));
}

TEST(StoreGateTest, WhoShutsItWaitsForPassesThatAreOut) {
  StoreGate gate;
  std::optional<StoreGate::Pass> pass(std::in_place, gate, ByteRange{0, 1});
  std::atomic<bool> quiet{false};
  std::thread other([&] {
    StoreGate::Shut shut(gate);
    shut.wait();
    quiet = true;
  });
  while (static_cast<bool>(StoreGate::Pass(gate, {1, 2}))) {  // until it's shut
    std::this_thread::yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(quiet.load());
  pass.reset();
  other.join();
  EXPECT_TRUE(quiet.load());
}

}  // namespace
}  // namespace dmmap::mapping
