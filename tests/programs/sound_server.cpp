#include "programs/sound_server.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <fstream>

#include "support/mounts.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kStart{20};
constexpr std::chrono::seconds kEnd{20};

std::vector<std::string> command(const TemporaryDirectory& directory, unsigned rate, unsigned channels) {
  std::filesystem::create_directory(directory / "mnt");
  return {DMMAP_PROGRAM,
          "sound",
          directory / "mnt",
          "--sink",
          "wav:" + (directory / "heard.wav").string(),
          "--rate",
          std::to_string(rate),
          "--channels",
          std::to_string(channels)};
}

}  // namespace

SoundServer::SoundServer(unsigned rate, unsigned channels) : process_(command(directory_, rate, channels)) {
  ready_ = process_.wait_for_output("ready", kStart) && is_mounted(mountpoint());
}

SoundServer::~SoundServer() {
  if (process_.running()) {
    process_.kill(SIGTERM);
    process_.wait(kEnd);
  }
  if (const auto connection = fuse_connection_of(mountpoint())) {
    ADD_FAILURE() << "the server left its mount behind";
    abort_connection(*connection);
  }
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "the server said:\n%s\n", log().c_str());
  }
}

Audio SoundServer::finish() {
  process_.kill(SIGINT);
  const Ended ended = process_.wait(kEnd);
  EXPECT_FALSE(ended.timed_out) << "the server didn't end within " << kEnd.count() << " s";
  EXPECT_EQ(ended.status, 0);
  EXPECT_FALSE(is_mounted(mountpoint()));
  return read_audio(directory_ / "heard.wav");
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
