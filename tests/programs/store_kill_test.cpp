// `dmmap store`, killed at any moment: what was promised is there, and the store is sound.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <thread>

#include "programs/store_promises.h"
#include "programs/store_server.h"
#include "support/requirement.h"
#include "support/wish.h"

namespace dmmap::testing {
namespace {

TEST(StoreKill, KeepsWhatWasPromisedAndStaysSound) {
  DMMAP_NEEDS(needs::mounting());
  constexpr std::uint64_t kVersionsEach = 1000000;
  constexpr std::chrono::seconds kClientsEnd{20};
  StoreServer server;
  ASSERT_TRUE(server.ready());
  const std::filesystem::path promises = server.directory() / "promises";
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto kills = static_cast<unsigned>(wished("DMMAP_KILLS", 12));
  for (unsigned round = 1; round <= kills && !::testing::Test::HasFailure(); ++round) {
    Process client({DMMAP_STORE_CLIENT, server.mountpoint(), promises, std::to_string(round * kVersionsEach)});
    // Before that it would find the folder that was mounted on.
    ASSERT_TRUE(client.wait_for_output("begun", kClientsEnd)) << client.err();
    const auto snapshots = server.making_snapshots();
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    ASSERT_TRUE(client.running()) << client.err();
    ASSERT_TRUE(snapshots->running()) << snapshots->err();
    server.kill();
    const Ended ended = client.wait(kClientsEnd);
    EXPECT_FALSE(ended.timed_out) << "a client hangs";
    EXPECT_TRUE(ended.status == 0 || ended.status == 128 + SIGBUS) << ended.status << ": " << client.err();
    server.check();
    server.start();
    ASSERT_TRUE(server.ready());
    expect_kept(server.mountpoint(), read_versions(promises));
  }
  EXPECT_FALSE(read_versions(promises).empty()) << "the clients got nowhere";
  server.end_and_check();
}

}  // namespace
}  // namespace dmmap::testing
