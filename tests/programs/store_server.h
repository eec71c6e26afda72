// StoreServer: `dmmap store` on a mount of its own, over a store of its own, with programs that use it.
//
// Promises: as Daemon's. What programs do runs as a shell script in the mount.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "programs/daemon.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

class StoreServer {
 public:
  StoreServer() : StoreServer(std::filesystem::path{}) {}
  /// The store's folder; in the server's own when empty. `more`: words for its command line.
  explicit StoreServer(std::filesystem::path database, std::vector<std::string> more = {});

  [[nodiscard]] bool ready() const { return daemon_->ready(); }
  [[nodiscard]] const std::filesystem::path& mountpoint() const { return daemon_->mountpoint(); }
  [[nodiscard]] const std::filesystem::path& database() const { return database_; }
  /// A folder for the test's files.
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }
  [[nodiscard]] Process& process() { return daemon_->process(); }
  [[nodiscard]] std::string log() const { return daemon_->log(); }

  /// Runs `script` with bash, in the mount, until its first command that fails. $SOURCE is the project's own source. A
  /// test failure when it fails or takes longer than `timeout`. Returns what it printed.
  std::string sh(const std::string& script, std::chrono::seconds timeout = std::chrono::seconds{60});
  /// Makes snapshots of all there is and removes them, again and again, as long as it may.
  [[nodiscard]] std::unique_ptr<Process> making_snapshots() const;
  /// Serves again what was served before, after end() or a kill.
  void start();
  /// Ends the server as Ctrl-C does. A test failure when it doesn't end well.
  void end() { daemon_->end(); }
  /// Kills it, and waits until its mount is gone.
  void kill();
  /// `dmmap store check`, of the store that nobody serves now. A test failure when it complains.
  void check();
  void end_and_check();

 private:
  TemporaryDirectory directory_;
  std::filesystem::path database_;
  std::vector<std::string> words_;
  std::unique_ptr<Daemon> daemon_;
};

/// A test on a mount of its own, whose store is checked at the end.
class StoreServerTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::unique_ptr<StoreServer> server_;
};

}  // namespace dmmap::testing
