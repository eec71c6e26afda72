// CameraServer: `dmmap camera` on a mount of its own.
//
// Promises: as Daemon's.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "programs/daemon.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

struct CameraServerOptions {
  std::vector<std::string> words{};  ///< after the mount point
  std::optional<uid_t> user{};       ///< who runs it, and owns its folder
  std::filesystem::path input{};     ///< its standard input; /dev/null when empty
  std::string_view ready = "ready";  ///< what it says when it's up
};

class CameraServer {
 public:
  /// `dmmap camera MOUNTPOINT WORDS`. ready() says whether it came up.
  explicit CameraServer(std::vector<std::string> words)
      : CameraServer(CameraServerOptions{.words = std::move(words)}) {}
  explicit CameraServer(const CameraServerOptions& options);
  CameraServer(const CameraServer&) = delete;
  CameraServer& operator=(const CameraServer&) = delete;

  [[nodiscard]] bool ready() const { return daemon_.ready(); }
  [[nodiscard]] std::filesystem::path video(unsigned number = 0) const {
    return mountpoint() / ("video" + std::to_string(number));
  }
  [[nodiscard]] std::filesystem::path mountpoint() const { return directory_ / "mnt"; }
  /// A folder for the test's files.
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }
  /// What the server has said so far.
  [[nodiscard]] std::string log() const { return daemon_.log(); }
  /// Whether it says `text` within a time that is long enough for any machine.
  [[nodiscard]] bool says(std::string_view text) { return daemon_.says(text); }
  [[nodiscard]] Process& process() { return daemon_.process(); }
  /// What `dmmap camera status --json` prints.
  [[nodiscard]] std::string status() const;
  /// How many pictures video0's source has left out, since the machine was too slow for it.
  [[nodiscard]] unsigned left_out() const;
  /// Ends the server as Ctrl-C does. A test failure when it doesn't end well.
  void end() { daemon_.end(); }

 private:
  TemporaryDirectory directory_;
  Daemon daemon_;
};

}  // namespace dmmap::testing
