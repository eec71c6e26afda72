#include "mount/time_limit.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <utility>

#include "support/mounts.h"

namespace dmmap::testing {

TimeLimit::TimeLimit(std::chrono::seconds limit, std::filesystem::path path, std::function<std::string()> describe) {
  thread_ = std::thread([this, limit, path = std::move(path), describe = std::move(describe)] {
    std::unique_lock lock(lock_);
    if (changed_.wait_for(lock, limit, [this] { return over_; })) {
      return;
    }
    passed_ = true;
    std::cerr << "the time limit of " << limit.count() << " s was passed; under way:\n" << describe();
    if (path.parent_path() == "/dev") {
      std::ofstream("/sys/class/cuse" / path.filename() / "abort") << "1";
    } else if (const auto connection = fuse_connection_of(path)) {
      abort_connection(*connection);
    }
  });
}

TimeLimit::~TimeLimit() {
  {
    const std::lock_guard lock(lock_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
  EXPECT_FALSE(passed_) << "took too long; stderr tells who held what";
}

}  // namespace dmmap::testing
