// Paged regions on the real kernel when sources, clients and callers behave badly.
#include <fcntl.h>

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

TEST_P(PagedAnywhereTest, AFaultThatFailsIsSigbusToTheToucherAndEioToRead) {
  mount();
  source_->on_fault([](PageRange, FaultReply reply) { reply.error(EIO); });
  RemoteClient reader = client();
  EXPECT_EQ(reader.load(0, 1).error, -SIGBUS);
  EXPECT_EQ(reader.pread(0, 1).error, EIO);
  std::byte byte{};
  const auto own = region_->read(0, {&byte, 1});
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, EIO);
  source_->on_fault({});
  EXPECT_TRUE(reader.load(0, 1).ok()) << "an error isn't for ever";
}

TEST_P(PagedAnywhereTest, SourcesThatAnswerBadlyAreToldOfAndHangNobody) {
  mount();
  RemoteClient reader = client();
  source_->on_fault([](PageRange wanted, FaultReply reply) { reply.ok(wanted.first * kPage, as_bytes("short")); });
  EXPECT_EQ(reader.load(0, 1).error, -SIGBUS);
  EXPECT_NE(log().find("supplied 5 bytes"), std::string::npos) << log();
  source_->on_fault([](PageRange, FaultReply) {});
  EXPECT_EQ(reader.load(0, 1).error, -SIGBUS);
  EXPECT_NE(log().find("dropped a question unanswered"), std::string::npos) << log();
  source_->on_fault([this](PageRange wanted, FaultReply reply) {
    source_->supply(wanted, reply);
    source_->supply(wanted, reply);
  });
  EXPECT_TRUE(reader.load(0, 1).ok());
  EXPECT_TRUE(wait_until([&] { return log().find("answered twice") != std::string::npos; }, kPatience));
  // Far too much, and past the end.
  source_->on_fault([](PageRange, FaultReply reply) { reply.ok(0, as_bytes(std::string(kSize + 10 * kPage, 'm'))); });
  EXPECT_EQ(reader.load(kSize - 1, 1).bytes, "m");
  // Past what was asked for.
  ASSERT_TRUE(region_->unmap({0, kPages}));
  source_->on_fault([](PageRange wanted, FaultReply reply) {
    reply.ok((wanted.first + 1) * kPage, as_bytes(std::string(kPage, 'm')));
  });
  EXPECT_EQ(reader.load(0, 1).error, -SIGBUS);
}

TEST_P(PagedAnywhereTest, AnAnswerMayComeAfterTheClientDied) {
  mount();
  std::promise<void> asked;
  std::optional<FaultReply> late;
  source_->on_fault([&](PageRange, FaultReply reply) {
    late.emplace(std::move(reply));
    asked.set_value();
  });
  auto reader = std::make_unique<RemoteClient>(path(), kSize);
  reader->begin_load(0, 1);
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  reader->kill();
  late->ok(0, as_bytes(std::string(kPage, 'x')));
  EXPECT_TRUE(reader->gone(kPatience));
  source_->on_fault({});
  EXPECT_TRUE(client().load(kPage, 1).ok());
}

TEST_P(PagedAnywhereTest, AnAnswerMayComeAfterTheMountAndTheRegionHaveGone) {
  mount({.unmount_grace = std::chrono::milliseconds(100)});
  std::promise<void> asked;
  std::optional<FaultReply> late;
  source_->on_fault([&](PageRange, FaultReply reply) {
    late.emplace(std::move(reply));
    asked.set_value();
  });
  RemoteClient reader = client();
  reader.begin_load(0, 1);
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  end();
  EXPECT_EQ(reader.finish(kPatience).value().error, -SIGBUS);
  limit_.reset();
  region_.reset();
  source_->on_fault({});
  late->ok(0, as_bytes(std::string(kPage, 'x')));
}

TEST_P(PagedAnywhereTest, AFailedWritebackShowsAtFsyncAndLosesNothing) {
  mount();
  RemoteClient writer = client();
  EXPECT_TRUE(writer.store(0, "precious").ok());
  source_->on_writeback([](std::uint64_t, std::span<const std::byte>, WritebackReply reply) { reply.error(ENOSPC); });
  EXPECT_FALSE(sync(writer).ok());
  EXPECT_EQ(region_->counters().bytes_kept, kPage);
  EXPECT_FALSE(sync(writer).ok()) << "as long as the source hasn't got them";
  // The kernel may drop the page now: it's clean to it.
  EXPECT_TRUE(writer.forget().ok());
  EXPECT_TRUE(writer.evict().ok());
  EXPECT_EQ(writer.load(0, 8).bytes, "precious");
  const auto unmapped = region_->unmap({0, 1});
  ASSERT_FALSE(unmapped);
  EXPECT_EQ(unmapped.error().code, ENOSPC);
  EXPECT_EQ(writer.load(0, 8).bytes, "precious");
  source_->on_writeback({});
  EXPECT_TRUE(sync(writer).ok());
  EXPECT_EQ(source_->text(0, 8), "precious");
  EXPECT_EQ(region_->counters().bytes_kept, 0U);
  EXPECT_TRUE(region_->unmap({0, 1}));
}

TEST_P(PagedAnywhereTest, AWriteOfTheServersThatTheSourceRefusesIsVisibleAndKept) {
  mount();
  RemoteClient reader = client();
  EXPECT_TRUE(reader.store(50, "stored").ok());
  source_->on_writeback([](std::uint64_t, std::span<const std::byte>, WritebackReply reply) { reply.error(ENOSPC); });
  const auto written = write(0, "refused");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ENOSPC);
  EXPECT_EQ(reader.load(0, 7).bytes, "refused");
  EXPECT_EQ(reader.load(50, 6).bytes, "stored");
  source_->on_writeback({});
  EXPECT_TRUE(sync(reader).ok());
  EXPECT_EQ(source_->text(0, 7), "refused");
  EXPECT_EQ(source_->text(50, 6), "stored");
}

TEST_P(PagedAnywhereTest, RangesOutsideTheRegionAreRefused) {
  mount();
  std::byte byte{};
  constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  EXPECT_EQ(region_->read(kSize, {&byte, 1}).error().code, ERANGE);
  EXPECT_EQ(region_->write(kHuge, {&byte, 1}).error().code, ERANGE);
  EXPECT_EQ(region_->discard({kPages, 1}).error().code, ERANGE);
  EXPECT_EQ(region_->unmap({1, kHuge}).error().code, ERANGE);
  EXPECT_EQ(region_->resident({kHuge, 2}).error().code, ERANGE);
  EXPECT_EQ(region_->resize(kHuge).error().code, EINVAL);
  EXPECT_TRUE(region_->unmap({kPages, 0}));
}

TEST_P(PagedAnywhereTest, CallsFromHandlersWorkAndThoseThatCouldNeverEndSaySo) {
  mount();
  RemoteClient reader = client();
  EXPECT_TRUE(reader.store(8 * kPage, "there").ok());
  std::string seen(5, '?');
  int own = 0;
  int change = 0;
  std::optional<Completion> later;
  std::promise<void> handed_over;
  source_->on_fault([&](PageRange wanted, FaultReply reply) {
    source_->on_fault({});
    std::byte byte{};
    own = region_->read(wanted.first * kPage, {&byte, 1}).error().code;
    change = region_->unmap(wanted).error().code;
    EXPECT_TRUE(region_->read(8 * kPage, std::as_writable_bytes(std::span(seen.data(), seen.size()))));
    EXPECT_TRUE(region_->write(9 * kPage, as_bytes("from a handler")));
    EXPECT_TRUE(region_->unmap({8, 1}));
    later.emplace(region_->write_later(wanted.first * kPage + 100, {std::byte{'L'}}));
    EXPECT_EQ(later->wait().error().code, EDEADLK);
    handed_over.set_value();
    source_->supply(wanted, reply);
  });
  EXPECT_TRUE(reader.load(0, 1).ok());
  ASSERT_EQ(handed_over.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(own, EDEADLK);
  EXPECT_EQ(change, EDEADLK);
  EXPECT_EQ(seen, "there");
  EXPECT_EQ(source_->text(9 * kPage, 14), "from a handler");
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->wait());
  EXPECT_EQ(reader.load(100, 1).bytes, "L");

  std::atomic<int> in_writeback{0};
  source_->on_writeback([&](std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) {
    source_->on_writeback({});
    in_writeback = region_->write(20 * kPage, as_bytes("x")).error().code;
    source_->take(offset, bytes, reply);
  });
  EXPECT_TRUE(reader.store(0, "dirty").ok());
  EXPECT_TRUE(sync(reader).ok());
  EXPECT_EQ(in_writeback.load(), EDEADLK);
}

TEST_P(PagedAnywhereTest, TwoHandlersThatWaitForEachOtherDoNotHang) {
  mount();
  std::atomic<int> inside{0};
  std::atomic<int> refused{0};
  source_->on_fault([&](PageRange wanted, FaultReply reply) {
    if (wanted.first > 1) {
      source_->supply(wanted, reply);
      return;
    }
    ++inside;
    EXPECT_TRUE(wait_until([&] { return inside.load() == 2; }, kPatience));
    std::byte byte{};
    const auto other = region_->read((1 - wanted.first) * kPage, {&byte, 1});
    refused += !other && other.error().code == EDEADLK ? 1 : 0;
    source_->supply(wanted, reply);
  });
  end();
  serve({.threads = 2});
  RemoteClient one = client();
  RemoteClient two = client();
  one.begin_load(0, 1);
  two.begin_load(kPage, 1);
  EXPECT_TRUE(one.finish(kPatience).value().ok());
  EXPECT_TRUE(two.finish(kPatience).value().ok());
  EXPECT_EQ(refused.load(), 1);
}

TEST_P(PagedAnywhereTest, AThreadThatHoldsTheAnswerCannotWaitForIt) {
  mount();
  std::promise<void> asked;
  std::promise<std::unique_ptr<FaultReply>> handed;
  source_->on_fault([&](PageRange, FaultReply reply) {
    source_->on_fault({});
    handed.set_value(std::make_unique<FaultReply>(std::move(reply)));
  });
  RemoteClient reader = client();
  reader.begin_load(0, 1);
  const std::unique_ptr<FaultReply> held = handed.get_future().get();
  FaultReply reply(std::move(*held));  // this thread has it now
  EXPECT_EQ(write(0, "x").error().code, EDEADLK);
  EXPECT_TRUE(write(kPage, "elsewhere"));
  EXPECT_TRUE(region_->write_later(kPage, {std::byte{'E'}}).wait());
  const Completion later = region_->write_later(1, {std::byte{'L'}});
  EXPECT_EQ(later.wait().error().code, EDEADLK);
  EXPECT_EQ(region_->unmap_later({9, 1}).wait().error().code, EDEADLK) << "it comes after the other";
  source_->supply({0, 1}, reply);
  EXPECT_TRUE(later.wait());
  EXPECT_TRUE(reader.finish(kPatience).value().ok());
  EXPECT_EQ(reader.load(1, 1).bytes, "L");
  EXPECT_EQ(reader.load(kPage, 2).bytes, "El");
}

TEST_P(PagedAnywhereTest, AStoreOfAClientThatIsKilledIsKept) {
  mount();
  {
    RemoteClient writer = client();
    EXPECT_TRUE(writer.store(0, "last words").ok());
    writer.kill();
    EXPECT_TRUE(writer.gone(kPatience));
  }
  EXPECT_EQ(read(0, 10), "last words");
  EXPECT_TRUE(wait_until([&] { return !region_->in_use(); }, kPatience));
  EXPECT_EQ(source_->text(0, 10), "last words");
}

TEST_P(PagedTest, TheRegionsOwnNamesOpenToNobodyElse) {
  mount();
  RemoteClient one = client();
  ASSERT_TRUE(write(0, "x"));
  const std::string trace = this->trace();
  const std::size_t at = trace.find(".dmmap-");
  ASSERT_NE(at, std::string::npos) << trace;
  const std::string name = trace.substr(at, trace.find('"', at) - at);
  EXPECT_EQ(in_child([&] { return -open_file(*mount_ / name, O_RDWR); }), ENOENT);
}

TEST_P(PagedAnywhereTest, WhatIsUnderWayCanBeAskedFor) {
  mount();
  EXPECT_EQ(region_->describe(), "");
  std::promise<void> asked;
  std::optional<FaultReply> late;
  source_->on_fault([&](PageRange, FaultReply reply) {
    source_->on_fault({});
    late.emplace(std::move(reply));
    asked.set_value();
  });
  RemoteClient reader = client();
  reader.begin_load(kPage, 1);
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  const std::string text = region_->describe();
  EXPECT_NE(text.find("a fault of bytes 4096 to 8192: unanswered for "), std::string::npos) << text;
  late->ok(kPage, as_bytes(std::string(kPage, 'x')));
  EXPECT_TRUE(reader.finish(kPatience).value().ok());
  EXPECT_EQ(region_->describe(), "");
}

}  // namespace
}  // namespace dmmap::testing
