// All calls of paged regions at once, from many threads, against 16 client processes.
//
// Short by default; DMMAP_STRESS_SECONDS=600 runs for ten minutes, which under TSan is how it's meant to be run.
#include <dmmap/device.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <iostream>
#include <random>
#include <thread>

#include "mount/moody_source.h"
#include "mount/mounted.h"
#include "mount/time_limit.h"
#include "stress/stress_client.h"
#include "support/mounts.h"
#include "support/requirement.h"
#include "support/wish.h"

namespace dmmap::testing {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 64;
constexpr unsigned kSteady = 12;  // clients of the file that keeps its size
constexpr unsigned kWild = 4;     // clients of the one that doesn't
constexpr unsigned kOwnLane = 20;

std::chrono::seconds wished_time() {
  return std::chrono::seconds(wished("DMMAP_STRESS_SECONDS", 5));
}

class PagedStressTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::mounting()); }

  struct File {
    explicit File(std::uint64_t id)
        : source(std::make_shared<MoodySource>(kPages * kPage)),
          region(*PagedRegion::create(
              {.id = {id}, .size = kPages * kPage, .max_size = kPages * kPage, .name = "stress"}, source)) {}
    std::shared_ptr<MoodySource> source;
    std::shared_ptr<PagedRegion> region;
  };

  void run_until_stop(const std::function<void(std::minstd_rand&)>& step) {
    threads_.emplace_back([this, step, seed = static_cast<unsigned>(threads_.size() + 1)] {
      std::minstd_rand random(seed);
      while (!stop_.load()) {
        step(random);
        ++calls_;
      }
    });
  }
  void note(const std::string& what) {
    const std::lock_guard lock(wrong_lock_);
    wrong_ = wrong_.empty() ? what : wrong_;
  }
  // What a call may come to: nothing, or what an unwilling source has said.
  void expect(const char* call, const Result<void>& outcome) {
    if (!outcome && outcome.error().code != ENOSPC && outcome.error().code != ERANGE) {
      note(std::string(call) + ": " + outcome.error().message);
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> calls_{0};
  std::vector<std::thread> threads_;
  std::mutex wrong_lock_;
  std::string wrong_;
};

TEST_F(PagedStressTest, EveryCallAtOnceLosesNothingAndHangsNobody) {
  File steady(1);
  File wild(2);
  DeviceFilesystem files;
  ASSERT_TRUE(files.add_file({.name = "steady"}, steady.region));
  ASSERT_TRUE(files.add_file({.name = "wild"}, wild.region));
  SessionOptions options;
  options.threads = 2;
  Mounted mount(files, std::move(options));
  const TimeLimit limit(wished_time() + std::chrono::seconds(90), mount.path(),
                        [&] { return steady.region->describe() + wild.region->describe(); });
  std::deque<StressClient> clients;
  for (unsigned i = 0; i < kSteady; ++i) {
    clients.emplace_back(mount / "steady", kPages, i, true);
  }
  for (unsigned i = 0; i < kWild; ++i) {
    clients.emplace_back(mount / "wild", kPages, i, false);
  }

  PagedRegion& region = *steady.region;
  for (unsigned writer = 0; writer < 2; ++writer) {
    // Each has a lane of its own, and reads it back.
    run_until_stop([&, writer](std::minstd_rand& random) {
      const std::uint64_t offset = random() % kPages * kPage + (kOwnLane + writer) * kLane;
      std::vector<std::byte> bytes(kLane, static_cast<std::byte>(random()));
      const auto written = region.write(offset, bytes);
      expect("write", written);
      std::vector<std::byte> back(kLane);
      const auto read = region.read(offset, back);
      expect("read", read);
      if (back != bytes) {
        std::vector<std::byte> again(kLane);
        static_cast<void>(region.read(offset, again));
        note(fmt::format(
            "a read at {} brought {:02x} where {:02x} was written ({}; read {}), then {:02x}; the source has {:02x}",
            offset, std::to_integer<unsigned>(back[0]), std::to_integer<unsigned>(bytes[0]),
            written ? "taken" : written.error().message, read ? "ok" : read.error().message,
            std::to_integer<unsigned>(again[0]), static_cast<unsigned char>(steady.source->text(offset + 1)[offset])));
      }
    });
  }
  run_until_stop([&](std::minstd_rand& random) {
    const std::uint64_t first = random() % kPages;
    expect("unmap", region.unmap({first, std::min<std::uint64_t>(1 + random() % 8, kPages - first)}));
  });
  run_until_stop([&](std::minstd_rand& random) {
    steady.source->delays_faults = random() % 2 == 0;
    steady.source->supplies_more = random() % 2 == 0;
    steady.source->delays_writebacks = random() % 2 == 0;
    steady.source->refuses = random() % 4 == 0;
    static_cast<void>(region.resident({0, kPages}));
    static_cast<void>(region.counters());
    expect("later", region.unmap_later({random() % kPages, 1}).wait());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  });
  PagedRegion& other = *wild.region;
  run_until_stop([&](std::minstd_rand& random) {
    wild.source->delays_faults = random() % 2 == 0;
    wild.source->supplies_more = random() % 2 == 0;
    const std::uint64_t page = random() % kPages;
    switch (random() % 4) {
      case 0:
        expect("resize", other.resize(random() % (kPages * kPage)));
        expect("resize", other.resize(kPages * kPage));
        break;
      case 1:
        expect("discard", other.discard({page, 1}));
        break;
      case 2:
        expect("unmap", other.unmap({page, 1}));
        break;
      default:
        expect("later", other.write_later(page * kPage, std::vector<std::byte>(64)).wait());
    }
  });

  std::this_thread::sleep_for(wished_time());
  // Where all is slow the source may not have come to refuse one yet.
  EXPECT_TRUE(wait_until([&] { return region.counters().writebacks_failed > 0; }, std::chrono::seconds(60)));
  stop_ = true;
  for (std::thread& thread : threads_) {
    thread.join();
  }
  steady.source->good_mood();
  wild.source->good_mood();
  std::uint64_t done = 0;
  for (StressClient& client : clients) {
    client.stop();
    EXPECT_GT(client.done(), 0U) << "starved";
    done += client.done();
  }
  for (StressClient& client : clients) {
    EXPECT_EQ(client.finish(), "");
  }
  EXPECT_EQ(wrong_, "");
  const PagedCounters counters = region.counters();
  std::cout << done << " operations of clients, " << calls_.load() << " calls; " << counters.faults << " faults, "
            << counters.pages_supplied << " pages, " << counters.writebacks << " writebacks, "
            << counters.writebacks_failed << " of them refused, " << counters.unmaps << " unmaps\n";
}

}  // namespace
}  // namespace dmmap::testing
