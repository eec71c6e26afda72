#include "programs/sound_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>

#include "support/mounts.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kStart{20};
constexpr std::chrono::seconds kEnd{20};

std::vector<std::string> command(const std::filesystem::path& mountpoint, const std::filesystem::path& recording,
                                 const SoundServerOptions& options) {
  std::filesystem::create_directory(mountpoint);
  if (options.user) {
    for (const auto& folder : {mountpoint, mountpoint.parent_path()}) {
      EXPECT_EQ(::chown(folder.c_str(), *options.user, *options.user), 0);
    }
  }
  std::vector<std::string> words{DMMAP_PROGRAM,
                                 "sound",
                                 mountpoint,
                                 "--sink",
                                 options.sink.empty() ? "wav:" + recording.string() : options.sink,
                                 "--rate",
                                 std::to_string(options.rate),
                                 "--channels",
                                 std::to_string(options.channels),
                                 "--ring",
                                 options.ring,
                                 "--source",
                                 options.source};
  words.insert(words.end(), options.more.begin(), options.more.end());
  return words;
}

}  // namespace

SoundServer::SoundServer(const SoundServerOptions& options)
    : recording_(options.recording.empty() ? directory_ / "heard.wav" : options.recording),
      user_(options.user),
      process_(command(mountpoint(), recording_, options),
               {.environment = options.environment, .directory = {}, .user = options.user}) {
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

bool SoundServer::says(std::string_view text) {
  return process_.wait_for_output(text, kStart);
}

Audio SoundServer::finish() {
  end();
  return read_audio(recording_);
}

void SoundServer::end() {
  process_.kill(SIGINT);
  const Ended ended = process_.wait(kEnd);
  EXPECT_FALSE(ended.timed_out) << "the server didn't end within " << kEnd.count() << " s";
  EXPECT_EQ(ended.status, 0);
  EXPECT_FALSE(is_mounted(mountpoint()));
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
