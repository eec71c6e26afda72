// Paged regions on the real kernel: what client processes and the server see of each other.
#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "mount/paged_fixture.h"
#include "support/mounts.h"

namespace dmmap::testing {
namespace {

TEST_P(PagedAnywhereTest, ATouchIsAFaultOfThatPageAndOfNoOther) {
  mount();
  source_->put(3 * kPage, "three");
  RemoteClient reader = client();
  EXPECT_EQ(reader.load(3 * kPage, 5).bytes, "three");
  ASSERT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(source_->faults()[0], (PageRange{3, 1}));
  EXPECT_EQ(reader.load(3 * kPage + 100, 1).bytes.size(), 1U);
  EXPECT_EQ(source_->faults().size(), 1U) << "the page was there";
  EXPECT_EQ(region_->counters().faults, 1U);
  EXPECT_EQ(region_->counters().pages_supplied, 1U);
}

TEST_P(PagedTest, EveryFaceOfTheFileShowsTheSameBytes) {
  mount();
  RemoteClient one = client();
  RemoteClient two = client();
  EXPECT_TRUE(one.store(10, "stored").ok());
  EXPECT_EQ(two.load(10, 6).bytes, "stored");
  EXPECT_EQ(two.pread(10, 6).bytes, "stored");
  EXPECT_EQ(read(10, 6), "stored");
  EXPECT_TRUE(two.pwrite(20, "by write").ok());
  EXPECT_EQ(one.load(20, 8).bytes, "by write");
  ASSERT_TRUE(write(30, "by the server"));
  EXPECT_EQ(one.load(30, 13).bytes, "by the server");
  EXPECT_EQ(two.pread(10, 33).bytes.substr(0, 6), "stored");
  EXPECT_EQ(source_->text(30, 13), "by the server") << "the source has it when write returns";
}

TEST_P(PagedAnywhereTest, FsyncAndMsyncReturnAfterTheWriteback) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(0, "one").ok());
  EXPECT_TRUE(sync(writer).ok());
  EXPECT_EQ(source_->text(0, 3), "one");
  EXPECT_TRUE(writer.store(0, "two").ok());
  EXPECT_TRUE(writer.msync().ok());
  EXPECT_EQ(source_->text(0, 3), "two");
}

TEST_P(PagedAnywhereTest, BytesOfBothSidesInOnePageSurviveWritebackAndEviction) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(0, "client").ok());
  ASSERT_TRUE(write(100, "server"));
  EXPECT_TRUE(writer.store(200, "client again").ok());
  ASSERT_TRUE(region_->unmap({0, 1}));
  EXPECT_EQ(source_->text(0, 6), "client");
  EXPECT_EQ(source_->text(100, 6), "server");
  EXPECT_EQ(source_->text(200, 12), "client again");
  EXPECT_EQ(writer.load(100, 6).bytes, "server");
  EXPECT_EQ(writer.load(0, 6).bytes, "client");
}

TEST_P(PagedTest, WhatIsWrittenAtOnceReachesTheSourceAtOnce) {
  mount();
  RemoteClient one = client();
  ASSERT_TRUE(write(0, std::string(16 * kPage, 's')));
  EXPECT_EQ(region_->counters().writebacks, 1U);
  EXPECT_TRUE(one.pwrite(0, std::string(16 * kPage, 'c')).ok());
  EXPECT_EQ(region_->counters().writebacks, 2U);
  EXPECT_EQ(read(15 * kPage, 2), "cc");
}

TEST_P(PagedAnywhereTest, ReadingCachedPagesAsksNothing) {
  mount();
  RemoteClient one = client();
  EXPECT_EQ(read(0, kPage).size(), kPage);
  const std::string before = trace();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(read(0, kPage).size(), kPage);
  }
  // One question a second for the attributes is all that there may be.
  const std::string after = trace().substr(before.size());
  EXPECT_LE(std::count(after.begin(), after.end(), '\n'), 2) << after;
}

TEST_P(PagedAnywhereTest, AfterUnmapTheSourceHasAllAndTheNextTouchFaults) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(kPage, "stored").ok());
  EXPECT_TRUE(writer.store(5 * kPage, "elsewhere").ok());
  const std::size_t before = source_->faults().size();
  ASSERT_TRUE(region_->unmap({1, 1}));
  EXPECT_EQ(source_->text(kPage, 6), "stored");
  EXPECT_EQ(region_->resident({0, 8}).value(),
            (std::vector<bool>{false, false, false, false, false, true, false, false}));
  source_->put(kPage, "new   ");
  EXPECT_EQ(writer.load(kPage, 6).bytes, "new   ");
  EXPECT_EQ(source_->faults().size(), before + 1);
  EXPECT_EQ(region_->counters().unmaps, 1U);
}

TEST_P(PagedAnywhereTest, WhatIsSuppliedBeyondWhatWasAskedNeedsNoFault) {
  mount();
  for (std::size_t page = 0; page < kPages; ++page) {
    source_->put(page * kPage, std::to_string(100 + page));
  }
  source_->on_fault([this](PageRange wanted, FaultReply reply) {
    const std::uint64_t first = wanted.first / 16 * 16;
    source_->supply({first, 16}, reply);
  });
  RemoteClient reader = client();
  EXPECT_EQ(reader.load(20 * kPage, 3).bytes, "120");
  EXPECT_TRUE(wait_until(
      [&] {
        const auto resident = region_->resident({16, 16}).value();
        return std::all_of(resident.begin(), resident.end(), [](bool is) { return is; });
      },
      kPatience));
  for (std::size_t page = 16; page < 32; ++page) {
    EXPECT_EQ(reader.load(page * kPage, 3).bytes, std::to_string(100 + page));
  }
  EXPECT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(region_->counters().pages_pushed, 15U);
  EXPECT_EQ(region_->counters().pages_supplied, 16U);
}

TEST_P(PagedAnywhereTest, WhatIsBeingPushedIsTakenBackToo) {
  mount();
  source_->on_fault([this](PageRange, FaultReply reply) { source_->supply({0, kPages}, reply); });
  RemoteClient reader = client();
  for (int times = 0; times < 300; ++times) {
    ASSERT_TRUE(reader.load(0, 1).ok());  // the others follow while it goes on
    ASSERT_TRUE(region_->unmap({0, kPages}));
    // What was asked for on the way would come late.
    std::this_thread::sleep_for(std::chrono::milliseconds(times % 3));
    const auto resident = region_->resident({0, kPages}).value();
    ASSERT_EQ(std::count(resident.begin(), resident.end(), true), 0) << "after " << times << " times";
  }
}

TEST_P(PagedAnywhereTest, SurplusNeverCoversWhatWasWrittenSinceItWasAsked) {
  mount();
  std::promise<void> asked;
  std::optional<FaultReply> late;
  std::atomic<bool> first{true};
  source_->on_fault([&](PageRange wanted, FaultReply reply) {
    if (first.exchange(false)) {
      late.emplace(std::move(reply));
      asked.set_value();
    } else {
      source_->supply(wanted, reply);
    }
  });
  RemoteClient reader = client();
  RemoteClient other = client();
  reader.begin_load(0, 1);
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  const std::string old(4 * kPage, 'o');
  // Page 1 by the server, page 2 by a client; both evicted again, so that the surplus could be taken.
  ASSERT_TRUE(write(kPage, "new1"));
  ASSERT_TRUE(put(other, 2 * kPage, "new2").ok());
  ASSERT_TRUE(region_->unmap({1, 2}));
  late->ok(0, as_bytes(old));
  EXPECT_EQ(reader.finish(kPatience).value().bytes, "o");
  EXPECT_TRUE(wait_until([&] { return region_->counters().pages_pushed == 1; }, kPatience)) << "page 3 alone";
  EXPECT_EQ(reader.load(kPage, 4).bytes, "new1");
  EXPECT_EQ(reader.load(2 * kPage, 4).bytes, "new2");
}

TEST_P(PagedAnywhereTest, PushingDoesNotWaitForAFaultInFlight) {
  mount();
  std::promise<void> asked;
  std::optional<FaultReply> late;
  source_->on_fault([&](PageRange wanted, FaultReply reply) {
    if (wanted.first == 4) {
      late.emplace(std::move(reply));
      asked.set_value();
      return;
    }
    source_->supply({0, 8}, reply);  // page 4 among it
  });
  RemoteClient stuck = client();
  RemoteClient reader = client();
  stuck.begin_load(4 * kPage, 1);
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(reader.load(0, 1).ok());
  for (const std::size_t page : {1U, 2U, 3U, 5U, 6U, 7U}) {
    reader.begin_load(page * kPage, 1);
    EXPECT_TRUE(reader.finish(kPatience).has_value()) << page;
  }
  late->ok(4 * kPage, as_bytes(std::string(kPage, 'x')));
  EXPECT_EQ(stuck.finish(kPatience).value().bytes, "x");
}

TEST_P(PagedAnywhereTest, ConcurrentFaultsOnOnePageAskOnce) {
  mount();
  std::promise<void> asked;
  std::vector<FaultReply> late;
  std::mutex lock;
  source_->on_fault([&](PageRange, FaultReply reply) {
    const std::lock_guard guard(lock);
    late.push_back(std::move(reply));
    if (late.size() == 1) {
      asked.set_value();
    }
  });
  std::deque<RemoteClient> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back(path(), kSize);
    readers.back().begin_load(0, 1);
  }
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // time for the others to ask, were they to
  {
    const std::lock_guard guard(lock);
    ASSERT_EQ(late.size(), 1U);
    late[0].ok(0, as_bytes(std::string(kPage, 'z')));
  }
  for (RemoteClient& reader : readers) {
    EXPECT_EQ(reader.finish(kPatience).value().bytes, "z");
  }
}

TEST_P(PagedAnywhereTest, DiscardedPagesAreZerosToAll) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(0, "gone").ok());
  EXPECT_TRUE(writer.store(kPage, "stays").ok());
  ASSERT_TRUE(region_->discard({0, 1}));
  EXPECT_EQ(writer.load(0, 4).bytes, std::string(4, '\0'));
  EXPECT_EQ(read(0, 4), std::string(4, '\0'));
  EXPECT_EQ(writer.load(kPage, 5).bytes, "stays");
}

TEST_P(PagedTest, ResizeCutsAndGrowsWhatMappingsShow) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(kSize - 4, "tail").ok());
  ASSERT_TRUE(region_->resize(kPage + 10));
  EXPECT_EQ(writer.load(2 * kPage, 1).error, -SIGBUS);
  EXPECT_EQ(writer.file_size().result, static_cast<std::int64_t>(kPage + 10));
  EXPECT_EQ(region_->size(), kPage + 10);
  ASSERT_TRUE(region_->resize(kSize));
  EXPECT_EQ(writer.load(kSize - 4, 4).bytes, std::string(4, '\0'));
  // By a client.
  EXPECT_TRUE(writer.store(kSize - 4, "tail").ok());
  EXPECT_TRUE(writer.truncate(kPage).ok());
  EXPECT_EQ(region_->size(), kPage);
  EXPECT_EQ(writer.truncate(kSize + 1).error, EFBIG);
  EXPECT_TRUE(writer.truncate(kSize).ok());
  EXPECT_EQ(read(kSize - 4, 4), std::string(4, '\0'));
}

TEST_P(PagedAnywhereTest, ResizeByTheServerIsSeenByWhoHasItMapped) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(kSize - 4, "tail").ok());
  EXPECT_TRUE(writer.store(kPage, "stays").ok());
  ASSERT_TRUE(region_->resize(kPage + 10));
  EXPECT_EQ(writer.load(2 * kPage, 1).error, -SIGBUS);
  EXPECT_EQ(writer.load(kPage, 5).bytes, "stays");
  ASSERT_TRUE(region_->resize(kSize));
  EXPECT_EQ(writer.load(kSize - 4, 4).bytes, std::string(4, '\0'));
  EXPECT_EQ(client().load(kPage, 5).bytes, "stays");
}

TEST_P(PagedTest, ClientsMayGrowItAsFarAsTheServerSays) {
  make(0, 2 * kPage);
  mount();
  RemoteClient writer = client(2 * kPage);
  EXPECT_TRUE(writer.pwrite(0, "hello").ok());
  EXPECT_EQ(region_->size(), 5U);
  EXPECT_EQ(read(0, 5), "hello");
  EXPECT_EQ(writer.pwrite(2 * kPage, "x").error, EFBIG);
  EXPECT_TRUE(writer.pwrite(2 * kPage - 1, "x").ok());
  EXPECT_EQ(writer.load(2 * kPage - 1, 1).bytes, "x");
}

TEST_P(PagedAnywhereTest, ALateFaultNeverCoversANewerWrite) {
  mount();
  std::promise<void> asked;
  std::optional<FaultReply> late;
  source_->on_fault([&](PageRange, FaultReply reply) {
    source_->on_fault({});
    late.emplace(std::move(reply));
    asked.set_value();
  });
  RemoteClient reader = client();
  reader.begin_load(0, 3);
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  auto writing = std::async(std::launch::async, [&] { return write(0, "new"); });
  EXPECT_EQ(writing.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  std::thread([&] { late->ok(0, as_bytes(std::string(kPage, 'o'))); }).join();
  EXPECT_TRUE(writing.get());
  EXPECT_TRUE(reader.finish(kPatience).has_value());
  EXPECT_EQ(reader.load(0, 4).bytes, "newo");
  ASSERT_TRUE(region_->unmap({0, 1}));
  EXPECT_EQ(source_->text(0, 3), "new");
}

TEST_P(PagedAnywhereTest, RevokedPagesAreSigbusAndTheServersOwnStay) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(0, "mine").ok());
  ASSERT_TRUE(region_->revoke());
  EXPECT_EQ(writer.load(0, 1).error, -SIGBUS);
  RemoteClient late = client();
  if (place() == Place::device) {
    EXPECT_EQ(late.load(0, 1).error, ENODEV) << "it can't be mapped any more";
  } else {
    EXPECT_EQ(late.open_error(), ESTALE) << "it can't be opened any more";
  }
  EXPECT_EQ(read(0, 4), "mine");
  EXPECT_TRUE(write(0, "yours"));
  EXPECT_EQ(read(0, 5), "yours");
}

TEST_P(PagedAnywhereTest, WithoutAClientAndWithoutAMountTheCallsWorkAllTheSame) {
  EXPECT_TRUE(write(5, "before"));
  EXPECT_EQ(read(5, 6), "before");
  mount();
  EXPECT_EQ(client().load(5, 6).bytes, "before");
  EXPECT_TRUE(wait_until([&] { return !region_->in_use(); }, kPatience));
  EXPECT_TRUE(write(5, "closed"));
  EXPECT_EQ(client().load(5, 6).bytes, "closed");
  end();
  EXPECT_EQ(read(5, 6), "closed");
  EXPECT_TRUE(write(5, "after "));
  EXPECT_EQ(read(5, 6), "after ");
}

TEST_P(PagedTest, ARegionIsOneNodesAndOneNodeHasOneRegion) {
  ASSERT_TRUE(files_.add_file({.name = "g"}, region_));
  mount();
  RemoteClient one = client();
  EXPECT_TRUE(one.load(0, 1).ok());
  EXPECT_EQ(in_child([&] { return -open_file(*mount_ / "g", O_RDWR); }), EBUSY);
}

// What holds a node is let go of: the kernel forgets it when its last client has.
TEST_P(PagedAnywhereTest, NothingHoldsTheNodeWhenItsClientsHaveGone) {
  mount();
  {
    RemoteClient one = client();
    ASSERT_TRUE(write(0, "x"));
  }
  EXPECT_TRUE(wait_until([&] { return !region_->in_use(); }, kPatience));
  EXPECT_TRUE(wait_until(
      [&] {
        std::ofstream("/proc/sys/vm/drop_caches") << "2";
        return session().connection().outstanding_lookups() == 0;
      },
      kPatience));
}

class WritebackCacheTest : public PagedFixture {};

TEST_F(WritebackCacheTest, TheSameHolds) {
  make(kSize, 2 * kSize);
  mount({.writeback_cache = true});
  RemoteClient one = client();
  RemoteClient two = client();
  EXPECT_TRUE(one.pwrite(10, "written").ok());
  EXPECT_TRUE(one.store(100, "stored").ok());
  ASSERT_TRUE(write(200, "server"));
  EXPECT_EQ(two.load(10, 7).bytes, "written");
  EXPECT_EQ(two.load(200, 6).bytes, "server");
  EXPECT_EQ(read(100, 6), "stored");
  ASSERT_TRUE(region_->unmap({0, 1}));
  EXPECT_EQ(source_->text(10, 7), "written");
  EXPECT_EQ(source_->text(100, 6), "stored");
  EXPECT_EQ(source_->text(200, 6), "server");
  ASSERT_TRUE(region_->resize(kPage));
  EXPECT_EQ(two.load(kPage, 1).error, -SIGBUS);
  EXPECT_EQ(two.load(200, 6).bytes, "server");
}

INSTANTIATE_TEST_SUITE_P(Open, PagedTest, ::testing::Values(Place::file), name_of);
INSTANTIATE_TEST_SUITE_P(Kernel, PagedTest, ::testing::Values(Place::asked), name_of);
INSTANTIATE_TEST_SUITE_P(Open, PagedAnywhereTest, ::testing::Values(Place::file), name_of);
INSTANTIATE_TEST_SUITE_P(Kernel, PagedAnywhereTest, ::testing::Values(Place::asked, Place::device), name_of);

}  // namespace
}  // namespace dmmap::testing
