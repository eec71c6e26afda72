// The session against a kernel that is played: what the real one does seldom, or never.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include "session/opcode_table.h"
#include "session/played_kernel.h"

namespace dmmap::session {
namespace {

class KeepingFilesystem : public Filesystem {
 public:
  void lookup(const LookupRequest& request, Reply<Entry> reply) override {
    if (request.name == "none") {
      reply.error(ENOENT);
    } else if (request.name == "negative") {
      reply.ok({.node = {0}});
    } else {
      reply.ok({.node = {5}});
    }
  }
  void forget(NodeId node) override {
    const std::lock_guard lock(lock_);
    forgotten_.push_back(node.value);
  }
  void read(const ReadRequest& request, Reply<Data> reply) override {
    if (request.offset == 1) {  // an answer that is too long
      const std::array<std::byte, 100> bytes{};
      reply.ok({bytes});
      return;
    }
    const std::lock_guard lock(lock_);
    kept_.push_back(std::move(reply));
    kept_.back().on_interrupt([this] { ++interrupts_; });
    arrived_.notify_all();
  }
  void getxattr(const GetxattrRequest& /*request*/, Reply<Xattr> reply) override {
    reply.ok({std::as_bytes(std::span("value", 5))});
  }
  void write(const WriteRequest& request, Reply<Written> reply) override {
    const std::lock_guard lock(lock_);
    kept_data_ = request.data;  // good until the answer, however long that takes
    kept_write_.emplace(std::move(reply));
    arrived_.notify_all();
  }
  void readdirplus(const ReaddirplusRequest& /*request*/, Reply<DirectoryListingPlus> reply) override {
    std::array<DirectoryEntryPlus, 3> entries{};
    entries[0] = {{".", 1, 1, 4}, {.node = {1}}};
    entries[1] = {{"a", 8, 2, 8}, {.node = {8}}};
    entries[2] = {{"b", 9, 3, 8}, {.node = {9}}};
    reply.ok({entries});
  }
  void wait_kept(std::size_t count) {
    std::unique_lock lock(lock_);
    ASSERT_TRUE(arrived_.wait_for(lock, kPatience, [&] { return kept_.size() >= count || kept_write_; }));
  }
  std::vector<std::uint64_t> forgotten() {
    const std::lock_guard lock(lock_);
    return forgotten_;
  }

  std::mutex lock_;
  std::condition_variable arrived_;
  std::vector<Reply<Data>> kept_;
  std::optional<Reply<Written>> kept_write_;
  std::span<const std::byte> kept_data_;
  std::vector<std::uint64_t> forgotten_;
  std::atomic<int> interrupts_{0};
};

Message read_request(std::uint64_t unique, std::uint64_t offset = 0) {
  return Message(FUSE_READ).unique(unique).add(protocol::with<fuse_read_in>([&](auto& in) {
    in.size = 10;
    in.offset = offset;
  }));
}

Message interrupt(std::uint64_t unique, std::uint64_t of) {
  return Message(FUSE_INTERRUPT, 0).unique(unique).add(fuse_interrupt_in{of});
}

TEST(CoreTest, AKernelThatIsTooOldIsRefusedByName) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem, 30);
  ASSERT_FALSE(kernel.begun());
  EXPECT_EQ(kernel.begun().error().code, EPROTO);
  EXPECT_NE(kernel.begun().error().message.find("7.30"), std::string::npos);
  EXPECT_NE(kernel.begun().error().message.find("Linux 5.4"), std::string::npos);
  EXPECT_EQ(kernel.answer(2)->header.error, -EPROTO);
}

TEST(CoreTest, InitIsAnsweredWithWhatBothHave) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem, 60);
  ASSERT_TRUE(kernel.begun());
  const auto answer = kernel.answer(2);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body.size(), 64U);
  const auto out = answer->as<fuse_init_out>();
  EXPECT_EQ(out.major, 7U);
  EXPECT_EQ(out.minor, 45U) << "never more than is known";
  EXPECT_EQ(out.max_write, 1U << 20);
  EXPECT_EQ(out.max_pages, 256U);
  EXPECT_TRUE(out.flags & FUSE_INIT_EXT);
}

TEST(CoreTest, AnUnknownMajorIsAnsweredWithOurs) {
  KeepingFilesystem filesystem;
  transport::Scripted* scripted = nullptr;
  auto transport = std::make_unique<transport::Scripted>();
  scripted = transport.get();
  SessionOptions options;
  options.log = [](LogLevel, const std::string&) {};
  const auto core = std::make_shared<Core>(filesystem, std::move(options), std::move(transport));
  fuse_init_in init{};
  init.major = 8;
  scripted->push(Message(FUSE_INIT, 0).unique(2).add(init).done());
  init.major = 7;
  init.minor = 31;
  scripted->push(Message(FUSE_INIT, 0).unique(4).add(init).done());
  EXPECT_TRUE(core->begin());
  EXPECT_TRUE(scripted->wait_reply({2}, kPatience));
  EXPECT_TRUE(scripted->wait_reply({4}, kPatience));
}

TEST(CoreTest, WhatAServerHasNotIsEnosys) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.send(Message(FUSE_STATFS).unique(10));
  EXPECT_EQ(kernel.answer(10)->header.error, -ENOSYS);
  kernel.send(Message(9999).unique(12));
  EXPECT_EQ(kernel.answer(12)->header.error, -ENOSYS);
  EXPECT_NE(kernel.log().find("opcode 9999"), std::string::npos);
}

TEST(CoreTest, ABrokenRequestIsRefusedAndTheNextOneServed) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.send(Message(FUSE_READ).unique(10).bytes("short"));
  EXPECT_EQ(kernel.answer(10)->header.error, -EIO);
  kernel.scripted().push(std::vector<std::byte>(7));
  auto lying = Message(FUSE_LOOKUP).unique(12).text("x").done();
  lying.push_back({});
  kernel.scripted().push(lying);
  kernel.send(Message(FUSE_LOOKUP).unique(14).text("x"));
  EXPECT_EQ(kernel.answer(14)->header.error, 0);
}

TEST(CoreTest, AnAnswerThatIsTooLongIsTheServersDefect) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.send(read_request(10, 1));
  EXPECT_EQ(kernel.answer(10)->header.error, -EIO);
  EXPECT_NE(kernel.log().find("at most 10"), std::string::npos) << kernel.log();
}

TEST(CoreTest, XattrsAreMeasuredOrHandedOut) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  const auto ask = [&](std::uint64_t unique, std::uint32_t size) {
    kernel.send(Message(FUSE_GETXATTR).unique(unique).add(fuse_getxattr_in{size, 0}).text("user.x"));
    return *kernel.answer(unique);
  };
  EXPECT_EQ(ask(10, 0).as<fuse_getxattr_out>().size, 5U);
  EXPECT_EQ(ask(12, 4).header.error, -ERANGE);
  EXPECT_EQ(protocol::as_text(ask(14, 5).body), "value");
}

TEST(CoreTest, AnInterruptReachesTheWaitingRequestOnce) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.send(read_request(10));
  filesystem.wait_kept(1);
  kernel.send(interrupt(11, 10));
  kernel.send(interrupt(13, 10));
  kernel.send(Message(FUSE_STATFS).unique(20));
  ASSERT_TRUE(kernel.answer(20));  // whatever was sent before has been seen
  EXPECT_EQ(filesystem.interrupts_.load(), 1);
  EXPECT_TRUE(filesystem.kept_[0].interrupted());
  EXPECT_EQ(filesystem.kept_[0].error(EINTR), Delivery::taken);
  EXPECT_EQ(kernel.answer(10)->header.error, -EINTR);
}

TEST(CoreTest, AnInterruptThatComesFirstIsToBeSentAgain) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.send(interrupt(11, 10));
  EXPECT_EQ(kernel.answer(11)->header.error, -EAGAIN);
}

TEST(CoreTest, AnInterruptAfterTheAnswerReachesNobody) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.send(read_request(10));
  filesystem.wait_kept(1);
  filesystem.kept_[0].ok({});
  kernel.send(interrupt(11, 10));
  EXPECT_EQ(kernel.answer(11)->header.error, -EAGAIN);
  EXPECT_EQ(filesystem.interrupts_.load(), 0);
}

TEST(CoreTest, WhatARequestBroughtIsGoodUntilItsAnswer) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  const std::string data(100000, 'd');
  kernel.send(
      Message(FUSE_WRITE)
          .unique(10)
          .add(protocol::with<fuse_write_in>([&](auto& in) { in.size = static_cast<std::uint32_t>(data.size()); }))
          .bytes(data));
  filesystem.wait_kept(1);
  for (std::uint64_t i = 0; i < 50; ++i) {  // more requests, into other buffers
    kernel.send(Message(FUSE_LOOKUP).unique(20 + 2 * i).text("x"));
    ASSERT_TRUE(kernel.answer(20 + 2 * i));
  }
  EXPECT_EQ(protocol::as_text(filesystem.kept_data_), data);
  filesystem.kept_write_->ok({100});
  EXPECT_EQ(kernel.answer(10)->as<fuse_write_out>().size, 100U);
}

TEST(CoreTest, LookupsAreCountedAndForgottenExactly) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  for (std::uint64_t unique = 10; unique < 16; unique += 2) {
    kernel.send(Message(FUSE_LOOKUP).unique(unique).text("x"));
    ASSERT_TRUE(kernel.answer(unique));
  }
  kernel.send(Message(FUSE_LOOKUP).unique(16).text("none"));
  kernel.send(Message(FUSE_LOOKUP).unique(18).text("negative"));
  ASSERT_TRUE(kernel.answer(16) && kernel.answer(18));
  EXPECT_EQ(kernel.core().lookups().total(), 3U);
  kernel.send(Message(FUSE_FORGET, 5).unique(20).add(fuse_forget_in{2}));
  kernel.send(Message(FUSE_STATFS).unique(22));
  ASSERT_TRUE(kernel.answer(22));
  EXPECT_TRUE(filesystem.forgotten().empty());
  kernel.send(Message(FUSE_BATCH_FORGET, 0).unique(24).add(fuse_batch_forget_in{1, 0}).add(fuse_forget_one{5, 1}));
  kernel.send(Message(FUSE_STATFS).unique(26));
  ASSERT_TRUE(kernel.answer(26));
  EXPECT_EQ(filesystem.forgotten(), (std::vector<std::uint64_t>{5}));
  EXPECT_FALSE(kernel.answer(20, std::chrono::milliseconds(10))) << "FORGET has no answer";
}

TEST(CoreTest, OfAListingTheEntriesThatFitAreLookups) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  const auto list = [&](std::uint64_t unique, std::uint32_t size) {
    kernel.send(
        Message(FUSE_READDIRPLUS).unique(unique).add(protocol::with<fuse_read_in>([&](auto& in) { in.size = size; })));
    return *kernel.answer(unique);
  };
  EXPECT_EQ(list(10, 2 * 160).body.size(), 320U);
  EXPECT_EQ(kernel.core().lookups().total(), 1U) << "'.' is none, 'a' is one, 'b' didn't fit";
  list(12, 4096);
  EXPECT_EQ(kernel.core().lookups().total(), 3U);
}

TEST(CoreTest, ALookupThatWasNotTakenIsForgotten) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.scripted().fail_replies(ENOENT);
  kernel.send(Message(FUSE_LOOKUP).unique(10).text("x"));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (filesystem.forgotten().empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(filesystem.forgotten(), (std::vector<std::uint64_t>{5}));
  EXPECT_EQ(kernel.core().lookups().total(), 0U);
}

TEST(CoreTest, TheEndForgetsWhatIsLeftAndFailsWhatWaits) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  kernel.send(Message(FUSE_LOOKUP).unique(10).text("x"));
  kernel.send(read_request(12));
  filesystem.wait_kept(1);
  kernel.finish();
  EXPECT_EQ(filesystem.forgotten(), (std::vector<std::uint64_t>{5}));
  EXPECT_EQ(kernel.answer(12)->header.error, -ENOTCONN);
  EXPECT_EQ(filesystem.kept_[0].error(EIO), Delivery::gone);
}

TEST(CoreTest, RetrieveMatchesItsAnswer) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  std::promise<std::string> got;
  kernel.core().connection().retrieve({7}, 4096, 100, [&](Result<std::vector<std::byte>> result) {
    got.set_value(result ? std::string(protocol::as_text(*result)) : result.error().message);
  });
  const auto notice = kernel.notification();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->header.error, FUSE_NOTIFY_RETRIEVE);
  const auto out = notice->as<fuse_notify_retrieve_out>();
  EXPECT_EQ(out.nodeid, 7U);
  EXPECT_EQ(out.size, 100U);
  kernel.send(Message(FUSE_NOTIFY_REPLY)
                  .unique(out.notify_unique)
                  .add(protocol::with<fuse_notify_retrieve_in>([](auto& in) { in.size = 5; }))
                  .bytes("bytes"));
  EXPECT_EQ(got.get_future().get(), "bytes");
}

TEST(CoreTest, BackingIdsAreClosedWhenNobodyHoldsThem) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  auto backing = kernel.core().connection().open_backing(0);
  ASSERT_TRUE(backing);
  EXPECT_EQ(kernel.scripted().open_backings(), 1U);
  backing->reset();
  EXPECT_EQ(kernel.scripted().open_backings(), 0U);
}

// What has neither a mount nor nodes that the kernel gives access to.
TEST(CoreTest, WithoutARootNothingOfItCanBeOpened) {
  KeepingFilesystem filesystem;
  PlayedKernel kernel(filesystem);
  Connection& connection = kernel.core().connection();
  ASSERT_FALSE(connection.has_root());
  EXPECT_EQ(connection.has_root().error().code, EOPNOTSUPP);
  EXPECT_NE(connection.has_root().error().message.find("a scripted kernel has no nodes"), std::string::npos);
  EXPECT_EQ(connection.open_in_root("a", 0).error().code, EOPNOTSUPP);
}

TEST(OpcodeTableTest, EveryOpcodeOfTheProtocolIsThere) {
  for (std::uint32_t opcode = 1; opcode <= 53; ++opcode) {
    const bool unused = opcode == 7 || opcode == 19;
    EXPECT_EQ(find_opcode(opcode) == nullptr, unused) << opcode;
  }
  EXPECT_EQ(opcode_name(FUSE_LOOKUP), "LOOKUP");
  EXPECT_EQ(opcode_name(CUSE_INIT), "CUSE_INIT");
  EXPECT_EQ(find_opcode(54), nullptr);
}

}  // namespace
}  // namespace dmmap::session
