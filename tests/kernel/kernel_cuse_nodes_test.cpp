// kernel/patches: how the server of a CUSE device reaches the nodes that its grants name.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <thread>

#include "kernel/mmap_fixture.h"
#include "protocol/abi.h"

namespace dmmap::testing {
namespace {

using protocol::MmapIn;
using protocol::Notice;
using protocol::Opcode;

constexpr std::uint64_t kNode = 7;
constexpr std::uint64_t kHandle = 1234;

class KernelCuseNodes : public KernelMmapTest {
 protected:
  using KernelMmapTest::start;
  /// Whoever maps gets node 7.
  void start(bool want_requests = true) {
    MmapServer::Options options{MmapServer::Kind::cuse};
    options.want_requests = want_requests;
    start(options, [this](const MmapIn& in) { return node_granted(in); });
  }
  MmapAnswer node_granted(const MmapIn& in) {
    MmapAnswer answer;
    answer.out.mapid = ++mapids_;
    answer.out.nodeid = kNode;
    answer.out.offset = in.offset;
    answer.out.fh = kHandle;
    return answer;
  }
  [[nodiscard]] std::size_t count_of_node(Opcode opcode) const {
    const auto all = asked(opcode);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const Asked& one) { return one.nodeid == kNode; }));
  }
  /// The connection is given up, as an administrator does.
  static void abort(const std::string& name) { std::ofstream("/sys/class/cuse/" + name + "/abort") << "1"; }

  std::atomic<std::uint64_t> mapids_{0};
};

TEST_F(KernelCuseNodes, WhatTheServerReadsAndWritesIsWhatIsMapped) {
  start();
  const UniqueFd file(server_->open_node(kNode, O_RDWR));
  ASSERT_TRUE(file) << file.get();
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE, 4);
    if (at[kPage] != 7 * 16 + 1) {
      return 1;
    }
    at[100] = 55;
    ring_.bytes()[0] = 1;
    while (at[200] != 66) {
      ::usleep(1000);
    }
    return at[100] == 55 ? 0 : 2;
  });
  wait_for_byte(0, 1);
  unsigned char byte = 0;
  EXPECT_EQ(::pread(file.get(), &byte, 1, 100), 1);
  EXPECT_EQ(byte, 55) << "which no WRITE has brought";
  EXPECT_EQ(count_of_node(Opcode::write), 0U);
  byte = 66;
  EXPECT_EQ(::pwrite(file.get(), &byte, 1, 200), 1);
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(::fsync(file.get()), 0);
  ASSERT_TRUE(server_->wait_for(Opcode::write, 1));
  EXPECT_EQ(server_->written(kNode)[0][100], std::byte{55});
  EXPECT_EQ(server_->written(kNode)[0][200], std::byte{66});
}

TEST_F(KernelCuseNodes, PagesThatTheServerBroughtAreThereForWhoMaps) {
  start();
  const UniqueFd file(server_->open_node(kNode, O_RDWR));
  ASSERT_TRUE(file) << file.get();
  std::vector<char> bytes(kNodeSize);
  ASSERT_EQ(::pread(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(kNodeSize));
  EXPECT_EQ(bytes[5 * kPage], 7 * 16 + 5);
  const std::size_t reads = count_of_node(Opcode::read);
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              return map(fd, PROT_READ, 4)[3 * kPage] == 7 * 16 + 3 ? 0 : 1;
            }),
            0);
  EXPECT_EQ(count_of_node(Opcode::read), reads);
}

TEST_F(KernelCuseNodes, AheadIsReadAsFarAsTheServerSaid) {
  MmapServer::Options options{MmapServer::Kind::cuse};
  for (const bool none : {true, false}) {
    options.max_readahead = none ? 0 : 8 * kPage;
    start(options, [this](const MmapIn& in) { return node_granted(in); });
    EXPECT_EQ(server_->make_known(kNode), 0);
    EXPECT_EQ(run_client([this] {
                const int fd = ::open(server_->path().c_str(), O_RDWR);
                return map(fd, PROT_READ)[4 * kPage] == 7 * 16 + 4 ? 0 : 1;
              }),
              0);
    std::uint64_t bytes = 0;
    for (const Asked& read : asked(Opcode::read)) {
      bytes += read.size;
    }
    EXPECT_EQ(bytes, none ? kPage : 8 * kPage);
  }
}

// As in a mount, what LOOKUP has brought is what FORGET takes: grants of a node that's known count for nothing.
TEST_F(KernelCuseNodes, ANodeIsForgottenAsOftenAsItWasLookedUp) {
  start();
  UniqueFd file(server_->open_node(kNode, O_RDONLY));
  ASSERT_TRUE(file) << file.get();
  for (int times = 0; times < 3; ++times) {
    EXPECT_EQ(shared_mmap_errno(), 0);
  }
  ASSERT_TRUE(server_->wait_for(kMunmap, 3));
  protocol::InvalEntryNotice inval{};
  inval.parent = 1;
  inval.namelen = 5;
  EXPECT_EQ(server_->notify(Notice::inval_entry, &inval, sizeof(inval), "node7", 6), 0);
  EXPECT_EQ(server_->count(Opcode::forget), 0U) << "it's open";
  file.reset();
  ASSERT_TRUE(server_->wait_for(Opcode::forget, 1));
  EXPECT_EQ(asked(Opcode::forget).front().nodeid, kNode);
  EXPECT_EQ(asked(Opcode::forget).front().size, 1U);
  EXPECT_EQ(shared_mmap_errno(), EIO) << "the kernel doesn't know it any more";
  EXPECT_EQ(server_->make_known(kNode), 0);
  EXPECT_EQ(shared_mmap_errno(), 0);
}

TEST_F(KernelCuseNodes, FilesAreOpenedAndReleasedAsInAMount) {
  start();
  {
    const UniqueFd file(server_->open_node(kNode, O_RDONLY));
    ASSERT_TRUE(file) << file.get();
    EXPECT_EQ(::fcntl(file.get(), F_GETFD), FD_CLOEXEC);
  }
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  ASSERT_EQ(asked(Opcode::open).size(), 1U);
  EXPECT_EQ(asked(Opcode::release).front().fh, asked(Opcode::open).front().fh);
  EXPECT_EQ(asked(Opcode::open).front().nodeid, kNode);
  EXPECT_EQ(server_->open_node(0, O_RDONLY), -ENOENT) << "as LOOKUP says";
}

TEST_F(KernelCuseNodes, TheDirectoryIsGivenToWhoAsksForItRightly) {
  start();
  for (const unsigned long argument : {1UL, 7UL, ~0UL}) {
    EXPECT_EQ(server_->nodes(argument), -EINVAL) << argument;
  }
  const UniqueFd root(server_->nodes());
  ASSERT_TRUE(root) << root.get();
  EXPECT_EQ(::fcntl(root.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_NE(::fcntl(root.get(), F_GETFL) & O_PATH, 0);
  start({MmapServer::Kind::fuse}, [](const MmapIn&) { return MmapAnswer{}; });
  EXPECT_EQ(server_->nodes(), -ENOTTY) << "a mount has a name";
  start(false);
  EXPECT_EQ(server_->nodes(), -ENOTCONN) << "who hasn't asked for it has no nodes";
  const UniqueFd fresh(::open("/dev/cuse", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::ioctl(fresh.get(), protocol::kDevIocNodes, 0), -1) << "before CUSE_INIT is answered";
  EXPECT_EQ(errno, ENOTCONN);
}

TEST_F(KernelCuseNodes, WithoutADescriptorLeftItIsEmfile) {
  start();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit none{0, limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const int fd = server_->nodes();
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(fd, -EMFILE);
}

// Nothing of it is run, and nothing is stacked on it.
TEST_F(KernelCuseNodes, NodesAreOnlyForReadingAndWriting) {
  start();
  const UniqueFd file(server_->open_node(kNode, O_RDWR));
  ASSERT_TRUE(file) << file.get();
  EXPECT_EQ(::mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, file.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(server_->open_backing(file.get()), -ELOOP);
}

TEST_F(KernelCuseNodes, AfterTheServersEndOpenFilesAreErrorsAndCanBeClosed) {
  start();
  const UniqueFd root(server_->nodes());
  const UniqueFd file(server_->open_node(kNode, O_RDWR));
  ASSERT_TRUE(root && file);
  char byte = 1;
  EXPECT_EQ(::pread(file.get(), &byte, 1, 0), 1);
  EXPECT_EQ(::pwrite(file.get(), &byte, 1, 0), 1);
  server_->end();
  EXPECT_EQ(::pread(file.get(), &byte, 1, 0), 1) << "what is there stays";
  EXPECT_EQ(::pwrite(file.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(::openat(root.get(), "node8", O_RDONLY), -1);
  EXPECT_EQ(errno, ENOTCONN);
}

TEST_F(KernelCuseNodes, AfterAnAbortToo) {
  start();
  const UniqueFd file(server_->open_node(kNode, O_RDWR));
  ASSERT_TRUE(file) << file.get();
  abort(server_->name());
  char byte = 1;
  EXPECT_EQ(::pread(file.get(), &byte, 1, 15 * kPage), -1);
  EXPECT_EQ(server_->open_node(8, O_RDONLY), -ENOTCONN);
}

/// A server in a process of its own, which is to be killed: in `call`, which waits for an answer of its own, when told.
class KernelCuseKilled : public KernelCuseNodes {
 protected:
  void SetUp() override {
    KernelCuseNodes::SetUp();
    if (!IsSkipped()) {
      name_ = ring_.bytes().data() + kPage;
    }
  }
  /// Returns when the server waits in the call.
  std::unique_ptr<Client> server_in(const std::function<void(int file)>& call) {
    auto killed = std::make_unique<Client>([this, &call] {
      MmapServer server({MmapServer::Kind::cuse}, [this](const MmapIn& in) { return node_granted(in); });
      if (!server.trouble().empty()) {
        return 1;
      }
      std::memcpy(name_, server.name().c_str(), server.name().size() + 1);
      const UniqueFd file(server.open_node(kNode, O_RDWR));
      const UniqueFd root(server.nodes());
      char byte = 1;
      if (!file || !root || ::pread(file.get(), &byte, 1, 0) != 1 || ::pwrite(file.get(), &byte, 1, 0) != 1) {
        return 2;
      }
      const std::size_t before = server.asked().size();
      server.fall_silent();
      std::thread waiting([&] { call(file.get()); });
      while (server.asked().size() == before) {
        ::usleep(1000);
      }
      ring_.bytes()[0] = 1;
      ::pause();
      return 3;
    });
    wait_for_byte(0, 1);
    return killed;
  }
  [[nodiscard]] bool has_device() const {
    return ::access(fmt::format("/sys/class/cuse/{}", reinterpret_cast<const char*>(name_)).c_str(), F_OK) == 0;
  }

  unsigned char* name_ = nullptr;
};

TEST_F(KernelCuseKilled, InAReadOfItsOwnItDiesAtOnceWithItsDevice) {
  const auto server = server_in([](int file) {
    char byte = 0;
    static_cast<void>(!::pread(file, &byte, 1, 10 * kPage));
  });
  EXPECT_TRUE(has_device());
  server->kill();
  EXPECT_EQ(server->wait(), SIGKILL);
  EXPECT_TRUE(wait_until([this] { return !has_device(); }, std::chrono::seconds{5}));
}

// As for a mount: a request that is under way is waited for (fs/fuse/dev.c, request_wait_answer).
TEST_F(KernelCuseKilled, InAWriteOfItsOwnItDiesWhenTheConnectionIsAborted) {
  const auto server = server_in([](int file) {
    const char byte = 2;
    static_cast<void>(!::pwrite(file, &byte, 1, 0));
  });
  server->kill();
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  abort(reinterpret_cast<const char*>(name_));
  EXPECT_EQ(server->wait(), SIGKILL);
  EXPECT_TRUE(wait_until([this] { return !has_device(); }, std::chrono::seconds{5}));
}

}  // namespace
}  // namespace dmmap::testing
