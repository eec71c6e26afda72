// TimeLimit: a test that takes too long is told of, with who holds what, and its connection is aborted, so that what
// hangs fails instead.
//
// Thread safety: one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace dmmap::testing {

class TimeLimit {
 public:
  /// After `limit` what `describe` says goes to stderr, and the FUSE connection of the mount at `path`, or of the CUSE
  /// device there, is aborted.
  TimeLimit(std::chrono::seconds limit, std::filesystem::path path, std::function<std::string()> describe);
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;
  /// Fails the test when the limit was passed.
  ~TimeLimit();

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  bool over_ = false;
  bool passed_ = false;
  std::thread thread_;
};

}  // namespace dmmap::testing
