#include "programs/sound_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace dmmap::testing {
namespace {

std::vector<std::string> command(const std::filesystem::path& mountpoint, const std::filesystem::path& recording,
                                 const SoundServerOptions& options) {
  std::filesystem::create_directory(mountpoint);
  if (options.user) {
    for (const auto& folder : {mountpoint, mountpoint.parent_path()}) {
      EXPECT_EQ(::chown(folder.c_str(), *options.user, *options.user), 0);
    }
  }
  std::vector<std::string> words{"sound",      options.cuse.empty() ? mountpoint.string() : "--cuse=" + options.cuse,
                                 "--sink",     options.sink.empty() ? "wav:" + recording.string() : options.sink,
                                 "--rate",     std::to_string(options.rate),
                                 "--channels", std::to_string(options.channels),
                                 "--ring",     options.ring,
                                 "--source",   options.source};
  words.insert(words.end(), options.more.begin(), options.more.end());
  return words;
}

}  // namespace

SoundServer::SoundServer(const SoundServerOptions& options)
    : recording_(options.recording.empty() ? directory_ / "heard.wav" : options.recording),
      user_(options.user),
      cuse_(options.cuse),
      daemon_(command(mountpoint(), recording_, options), options.cuse.empty() ? mountpoint() : std::filesystem::path(),
              "ready", {.environment = options.environment, .directory = {}, .user = options.user}) {}

Audio SoundServer::finish() {
  end();
  return read_audio(recording_);
}

bool maps(pid_t pid, const std::filesystem::path& file) {
  std::ifstream mappings("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(mappings, line);) {
    // Each open is an inode of its own, and when the next program opens the path, its name there belongs to that one.
    if (line.ends_with(" " + file.string()) || line.ends_with(" " + file.string() + " (deleted)")) {
      return true;
    }
  }
  return false;
}

}  // namespace dmmap::testing
