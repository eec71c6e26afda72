// Paged regions that clients only read: the server's writes go straight into the page cache, and whoever may write
// comes in between safely.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "mount/paged_fixture.h"
#include "support/mounts.h"
#include "support/text.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

class PagedStoreTest : public PagedTest {
 protected:
  [[nodiscard]] RemoteClient reader() const { return RemoteClient(path(), kSize, O_RDONLY); }
  [[nodiscard]] std::size_t stores() const { return count(trace(), "STORE node"); }
  [[nodiscard]] std::size_t writes() const { return count(trace(), "WRITE "); }
};

/// What only a file has.
class PagedStoreFileTest : public PagedStoreTest {};

TEST_P(PagedStoreTest, WhatReadersMapIsWrittenWithoutARequest) {
  mount();
  source_->put(0, std::string(kPage, '.'));
  RemoteClient client = reader();
  EXPECT_EQ(client.load(0, 3).bytes, "...");
  ASSERT_TRUE(write(1, "new"));
  EXPECT_EQ(client.load(0, 5).bytes, ".new.");
  EXPECT_EQ(source_->text(0, 5), ".new.");
  EXPECT_EQ(stores(), 1U);
  EXPECT_EQ(writes(), 0U);
  // Over pages that nobody has touched, to the last byte.
  const std::string much(5 * kPage, 'm');
  ASSERT_TRUE(write(kSize - much.size(), much));
  EXPECT_EQ(client.load(kSize - much.size() - 1, 2).bytes, std::string("\0m", 2));
  EXPECT_EQ(client.load(kSize - 1, 1).bytes, "m");
  EXPECT_EQ(region_->size(), kSize);
  EXPECT_EQ(writes(), 0U);
}

TEST_P(PagedStoreTest, ABitOfAnAbsentPageIsSeenWithTheRestOfIt) {
  mount();
  source_->put(2 * kPage, std::string(kPage, 'o'));
  RemoteClient client = reader();
  ASSERT_TRUE(write(2 * kPage + 10, "bit"));
  EXPECT_EQ(client.load(2 * kPage + 8, 7).bytes, "oobitoo");
  EXPECT_EQ(stores(), 1U);
}

TEST_P(PagedStoreTest, AClientThatMayWriteEndsIt) {
  mount();
  RemoteClient client = reader();
  ASSERT_TRUE(write(0, "one"));
  EXPECT_EQ(stores(), 1U);
  {
    RemoteClient writer(path(), kSize);
    ASSERT_TRUE(writer.store(3, "and").ok());
    ASSERT_TRUE(write(0, "two"));
    EXPECT_EQ(stores(), 1U);
    EXPECT_EQ(client.load(0, 6).bytes, "twoand");
  }
  EXPECT_TRUE(wait_until([&] { return count(trace(), "RELEASE") > 0; }, kPatience));
  // Another thread may still be at it.
  EXPECT_TRUE(wait_until([&] { return write(0, "six") && stores() == 2; }, kPatience));
  EXPECT_EQ(client.load(0, 6).bytes, "sixand");
  EXPECT_EQ(source_->text(0, 6), "sixand");
}

TEST_P(PagedStoreTest, WhatTheSourceRefusesIsSeenAndKept) {
  mount();
  RemoteClient client = reader();
  source_->on_writeback([](std::uint64_t, std::span<const std::byte>, WritebackReply reply) { reply.error(ENOSPC); });
  const auto done = write(0, "kept");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ENOSPC);
  EXPECT_EQ(stores(), 1U);
  EXPECT_EQ(client.load(0, 4).bytes, "kept");
  EXPECT_EQ(region_->unmap({0, 1}).error().code, ENOSPC);
  EXPECT_EQ(client.load(0, 4).bytes, "kept");
  source_->on_writeback({});
  EXPECT_TRUE(region_->unmap({0, 1}));
  EXPECT_EQ(source_->text(0, 4), "kept");
}

TEST_P(PagedStoreFileTest, WhoMayWriteWaitsForAStoreUnderWay) {
  mount();
  std::promise<void> storing;
  std::promise<void> go_on;
  source_->on_writeback([&](std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) {
    source_->on_writeback({});
    storing.set_value();
    go_on.get_future().wait();
    source_->take(offset, bytes, reply);
  });
  RemoteClient client = reader();
  std::thread server([&] { EXPECT_TRUE(write(0, "stored")); });
  ASSERT_EQ(storing.get_future().wait_for(kPatience), std::future_status::ready);
  std::atomic<bool> opened{false};
  std::thread writer([&] {
    const UniqueFd fd(open_file(path(), O_RDWR));
    opened = true;
    EXPECT_EQ(::pwrite(fd.get(), "X", 1, 0), 1);
  });
  EXPECT_TRUE(wait_until([&] { return count(trace(), "OPEN ") >= 2; }, kPatience)) << trace();
  EXPECT_EQ(client.load(kPage, 1).bytes, std::string(1, '\0')) << "nobody else waits";
  EXPECT_FALSE(opened.load());
  go_on.set_value();
  server.join();
  writer.join();
  EXPECT_EQ(client.load(0, 6).bytes, "Xtored");
  EXPECT_EQ(source_->text(0, 6), "Xtored");
}

TEST_P(PagedStoreTest, ALateFaultDoesNotCoverIt) {
  mount();
  std::promise<FaultReply> asked;
  source_->put(0, "old!");
  source_->on_fault([&](PageRange, FaultReply reply) {
    source_->on_fault({});
    asked.set_value(std::move(reply));
  });
  RemoteClient client = reader();
  client.begin_load(0, 4);
  auto question = asked.get_future();
  ASSERT_EQ(question.wait_for(kPatience), std::future_status::ready);
  std::thread server([&] { EXPECT_TRUE(write(0, "new")); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // so that it waits for the page
  question.get().ok(0, as_bytes("old!" + std::string(kPage - 4, '\0')));
  ASSERT_TRUE(client.finish(kPatience));
  server.join();
  EXPECT_EQ(client.load(0, 4).bytes, "new!");
}

// Counters of the server's and of clients' share pages that are taken back all the time; none ever goes back.
TEST_P(PagedStoreTest, NothingGoesBackWhileWritersComeAndGo) {
  mount({.threads = 2});
  constexpr std::size_t kCounted = 8;
  constexpr auto kTime = std::chrono::seconds(3);
  RemoteClient client = reader();
  RemoteClient writer(path(), kSize);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  const auto number = [](std::uint64_t value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  };
  const auto value_of = [](const std::string& bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    return value;
  };
  std::array<std::uint64_t, 3> last{};
  // Two of the server's, each with places of its own.
  for (std::size_t who = 0; who < 2; ++who) {
    threads.emplace_back([&, who] {
      for (std::uint64_t value = 1; !over.load(); ++value) {
        for (std::size_t page = 0; page < kCounted; ++page) {
          ASSERT_TRUE(write(page * kPage + who * 8, number(value)));
        }
        last[who] = value;
      }
    });
  }
  // A client that comes, stores through its mapping, and goes.
  threads.emplace_back([&] {
    for (std::uint64_t value = 1; !over.load(); ++value) {
      for (std::size_t page = 0; page < kCounted; ++page) {
        ASSERT_TRUE(writer.store(page * kPage + 16, number(value)).ok());
      }
      ASSERT_TRUE(writer.leave().ok());
      last[2] = value;
      const std::uint64_t until = region_->counters().writes_stored + value % 16 + 1;
      ASSERT_TRUE(wait_until([&] { return over.load() || region_->counters().writes_stored >= until; }, kPatience));
      ASSERT_TRUE(writer.come_back().ok());
    }
  });
  threads.emplace_back([&] {
    for (std::uint64_t turn = 0; !over.load(); ++turn) {
      ASSERT_TRUE(region_->unmap({turn % kCounted, 1}));
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  std::array<std::uint64_t, kCounted * 3> seen{};
  const auto end = std::chrono::steady_clock::now() + kTime;
  std::uint64_t looks = 0;
  while (std::chrono::steady_clock::now() < end && !HasFailure()) {
    const std::size_t place = looks++ % seen.size();
    const std::uint64_t now = value_of(client.load(place / 3 * kPage + place % 3 * 8, 8).bytes);
    ASSERT_GE(now, seen[place]) << "place " << place << " went back";
    seen[place] = now;
  }
  over = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(stores(), 0U);
  EXPECT_GT(writes(), 0U);
  ASSERT_TRUE(region_->unmap({0, kPages}));
  for (std::size_t page = 0; page < kCounted; ++page) {
    for (std::size_t who = 0; who < last.size(); ++who) {
      EXPECT_EQ(value_of(client.load(page * kPage + who * 8, 8).bytes), last[who]) << page << " " << who;
      EXPECT_EQ(value_of(source_->text(page * kPage + who * 8, 8)), last[who]) << page << " " << who;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Open, PagedStoreTest, ::testing::Values(Place::file), name_of);
INSTANTIATE_TEST_SUITE_P(Kernel, PagedStoreTest, ::testing::Values(Place::asked, Place::device), name_of);
INSTANTIATE_TEST_SUITE_P(Open, PagedStoreFileTest, ::testing::Values(Place::file), name_of);

}  // namespace
}  // namespace dmmap::testing
