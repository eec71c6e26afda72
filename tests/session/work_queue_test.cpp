#include "session/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <vector>

namespace dmmap::session {
namespace {

TEST(WorkQueueTest, OneKeysJobsRunInOrder) {
  WorkQueue queue;
  std::mutex lock;
  std::vector<int> order;
  std::promise<void> done;
  for (int i = 0; i < 1000; ++i) {
    queue.post({1}, [&, i](bool) {
      const std::lock_guard guard(lock);
      order.push_back(i);
      if (i == 999) {
        done.set_value();
      }
    });
  }
  done.get_future().wait();
  queue.stop();  // before what its jobs use goes out of scope
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
}

TEST(WorkQueueTest, AStuckJobHoldsUpOnlyItsKey) {
  WorkQueue queue;
  std::promise<void> release;
  auto released = release.get_future().share();
  std::atomic<int> behind{0};
  for (std::uint64_t key = 1; key <= 20; ++key) {
    queue.post({key}, [released](bool) { released.wait(); });
  }
  queue.post({1}, [&](bool) { ++behind; });
  std::promise<void> other;
  queue.post({99}, [&](bool) { other.set_value(); });
  other.get_future().wait();
  EXPECT_EQ(behind.load(), 0);
  release.set_value();
  queue.stop();
  EXPECT_EQ(behind.load(), 1);
}

TEST(WorkQueueTest, StopTellsEveryJobThatItWasNotSent) {
  std::atomic<int> sent{0};
  std::atomic<int> refused{0};
  WorkQueue queue;
  std::promise<void> release;
  auto released = release.get_future().share();
  queue.post({1}, [&](bool) {
    released.wait();
    ++sent;
  });
  for (int i = 0; i < 5; ++i) {
    queue.post({1}, [&](bool send) { ++(send ? sent : refused); });
  }
  std::thread stopper([&] { queue.stop(); });
  release.set_value();
  stopper.join();
  queue.post({2}, [&](bool send) { ++(send ? sent : refused); });
  EXPECT_EQ(sent.load() + refused.load(), 7);
  EXPECT_GE(refused.load(), 1);
}

}  // namespace
}  // namespace dmmap::session
