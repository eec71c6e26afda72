// SoundServer: `dmmap sound` on a mount of its own, with a WAV file as what it is heard by.
//
// Promises: the program that was built, started as a user would start it; the constructor returns when it says that
// it's ready. The destructor ends it, and takes away what it leaves. What it says goes to the test's log when a test
// fails.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "support/audio_compare.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

class SoundServer {
 public:
  /// With a sink of this rate and as many channels. ready() says whether it came up.
  SoundServer(unsigned rate, unsigned channels);
  SoundServer(const SoundServer&) = delete;
  SoundServer& operator=(const SoundServer&) = delete;
  ~SoundServer();

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] std::filesystem::path dsp() const { return mountpoint() / "dsp"; }
  [[nodiscard]] std::filesystem::path mountpoint() const { return directory_ / "mnt"; }
  /// A folder for the test's files.
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }
  /// What the server has said so far.
  [[nodiscard]] std::string log() const { return process_.out() + process_.err(); }

  /// Ends the server as Ctrl-C does, and brings what was heard. A test failure when it doesn't end well.
  Audio finish();

 private:
  TemporaryDirectory directory_;
  Process process_;
  bool ready_ = false;
};

/// Whether process `pid` has a file of that path mapped now.
[[nodiscard]] bool maps(pid_t pid, const std::filesystem::path& file);

}  // namespace dmmap::testing
