// SoundServer: `dmmap sound` on a mount of its own, with a WAV file as what it is heard by.
//
// Promises: as Daemon's.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "programs/daemon.h"
#include "support/audio_compare.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

struct SoundServerOptions {
  unsigned rate = 8000;
  unsigned channels = 1;
  std::filesystem::path recording;       ///< where the sink is; in the server's own folder when empty
  std::vector<std::string> environment;  ///< as ProcessOptions has it
  std::string ring = "auto";             ///< as --ring has it
  std::optional<uid_t> user;             ///< who runs it, and owns its folder
  std::string source = "silence";        ///< as --source has it
  std::string sink{};                    ///< as --sink has it; the recording when empty
  std::vector<std::string> more{};       ///< words for its command line
  std::string cuse{};                    ///< as --cuse has it: no mount then
};

class SoundServer {
 public:
  /// With a sink of this rate and as many channels. ready() says whether it came up.
  SoundServer(unsigned rate, unsigned channels)
      : SoundServer(
            SoundServerOptions{.rate = rate, .channels = channels, .recording = {}, .environment = {}, .user = {}}) {}
  explicit SoundServer(const SoundServerOptions& options);
  SoundServer(const SoundServer&) = delete;
  SoundServer& operator=(const SoundServer&) = delete;

  [[nodiscard]] bool ready() const { return daemon_.ready(); }
  [[nodiscard]] std::filesystem::path dsp() const {
    return cuse_.empty() ? mountpoint() / "dsp" : std::filesystem::path("/dev") / cuse_;
  }
  [[nodiscard]] std::filesystem::path mountpoint() const { return directory_ / "mnt"; }
  [[nodiscard]] const std::filesystem::path& recording() const { return recording_; }
  /// A folder for the test's files.
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }
  /// As whom programs have to run, unless it's the test's own.
  [[nodiscard]] std::optional<uid_t> user() const { return user_; }
  /// What the server has said so far.
  [[nodiscard]] std::string log() const { return daemon_.log(); }
  /// Whether it says `text` within a time that is long enough for any machine.
  [[nodiscard]] bool says(std::string_view text) { return daemon_.says(text); }
  [[nodiscard]] Process& process() { return daemon_.process(); }

  /// Ends the server as Ctrl-C does, and brings what was heard. A test failure when it doesn't end well.
  Audio finish();
  /// The same, where the sink is no file.
  void end() { daemon_.end(); }

 private:
  TemporaryDirectory directory_;
  std::filesystem::path recording_;
  std::optional<uid_t> user_;
  std::string cuse_;
  Daemon daemon_;
};

/// Whether process `pid` has a file of that path mapped now.
[[nodiscard]] bool maps(pid_t pid, const std::filesystem::path& file);

}  // namespace dmmap::testing
