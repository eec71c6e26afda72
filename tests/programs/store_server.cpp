#include "programs/store_server.h"

#include <csignal>
#include <utility>

#include "support/mounts.h"
#include "support/requirement.h"

namespace dmmap::testing {

StoreServer::StoreServer(std::filesystem::path database, std::vector<std::string> more)
    : database_(database.empty() ? directory_ / "store" : std::move(database)),
      words_{"store", database_, directory_ / "mnt", "--create"} {
  words_.insert(words_.end(), more.begin(), more.end());
  std::filesystem::create_directory(directory_ / "mnt");
  start();
}

void StoreServer::start() {
  daemon_.reset();
  daemon_ = std::make_unique<Daemon>(words_, directory_ / "mnt", " is at ");
}

std::unique_ptr<Process> StoreServer::making_snapshots() const {
  ProcessOptions options;
  options.directory = mountpoint();
  return std::make_unique<Process>(
      std::vector<std::string>{"bash", "-euc", R"sh(while :; do rm -rf copy; "$0" store snapshot . copy; done)sh",
                               DMMAP_PROGRAM},
      options);
}

std::string StoreServer::sh(const std::string& script, std::chrono::seconds timeout) {
  ProcessOptions options;
  options.directory = mountpoint();
  options.environment = {"SOURCE=" DMMAP_SOURCE};
  const Outcome outcome = run({"bash", "-euxo", "pipefail", "-c", script}, timeout, options);
  EXPECT_FALSE(outcome.timed_out) << "not done within " << timeout.count() << " s: " << script;
  EXPECT_EQ(outcome.status, 0) << script << "\nprinted:\n" << outcome.out << outcome.err;
  return outcome.out;
}

void StoreServer::kill() {
  constexpr std::chrono::seconds kGone{20};
  process().kill(SIGKILL);
  process().wait(kGone);
  EXPECT_TRUE(wait_until([this] { return !is_mounted(mountpoint()); }, kGone)) << "the mount is still there";
}

void StoreServer::check() {
  constexpr std::chrono::seconds kLong{120};
  const Outcome outcome = run({DMMAP_PROGRAM, "store", "check", database_}, kLong);
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
}

void StoreServer::end_and_check() {
  end();
  check();
}

void StoreServerTest::SetUp() {
  DMMAP_NEEDS(needs::mounting());
  server_ = std::make_unique<StoreServer>();
  ASSERT_TRUE(server_->ready());
}

void StoreServerTest::TearDown() {
  if (server_ && server_->ready()) {
    server_->end_and_check();
  }
}

}  // namespace dmmap::testing
