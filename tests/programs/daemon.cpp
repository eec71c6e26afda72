#include "programs/daemon.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <utility>

#include "support/mounts.h"

namespace dmmap::testing {

namespace {

constexpr std::chrono::seconds kStart{20};
constexpr std::chrono::seconds kEnd{20};

std::vector<std::string> command(std::vector<std::string> words) {
  words.insert(words.begin(), DMMAP_PROGRAM);
  return words;
}

}  // namespace

Daemon::Daemon(std::vector<std::string> words, std::filesystem::path mountpoint, std::string_view ready_text,
               const ProcessOptions& options)
    : mountpoint_(std::move(mountpoint)), process_(command(std::move(words)), options) {
  ready_ = process_.wait_for_output(ready_text, kStart) && (mountpoint_.empty() || is_mounted(mountpoint_));
}

Daemon::~Daemon() {
  if (process_.running()) {
    process_.kill(SIGTERM);
    process_.wait(kEnd);
  }
  if (const auto connection = mountpoint_.empty() ? std::nullopt : fuse_connection_of(mountpoint_)) {
    ADD_FAILURE() << "the server left its mount behind";
    abort_connection(*connection);
  }
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "the server said:\n%s\n", log().c_str());
  }
}

bool Daemon::says(std::string_view text) {
  return process_.wait_for_output(text, kStart);
}

void Daemon::end() {
  process_.kill(SIGINT);
  const Ended ended = process_.wait(kEnd);
  EXPECT_FALSE(ended.timed_out) << "the server didn't end within " << kEnd.count() << " s";
  EXPECT_EQ(ended.status, 0);
  EXPECT_FALSE(!mountpoint_.empty() && is_mounted(mountpoint_));
}

}  // namespace dmmap::testing
