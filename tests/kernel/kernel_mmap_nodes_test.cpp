// kernel/patches: mappings of a node's page cache, with a file or a device that the server chooses it for.
#include <sys/stat.h>

#include <cstring>
#include <fstream>

#include "kernel/mmap_fixture.h"
#include "support/guarded_copy.h"

namespace dmmap::testing {
namespace {

using protocol::MmapIn;
using protocol::Notice;
using protocol::Opcode;

constexpr std::uint64_t kNode = 7;
constexpr std::uint64_t kHandle = 1234;

class KernelMmapNodes : public KernelMmap {
 protected:
  /// Whoever maps gets node 7 from this offset on.
  void start_with_node(std::uint64_t offset = 0, std::uint32_t flags = 0) {
    start([this, offset, flags](const MmapIn& in) {
      MmapAnswer answer;
      answer.out.mapid = ++mapids_;
      answer.out.nodeid = kNode;
      answer.out.offset = in.offset + offset;
      answer.out.fh = kHandle;
      answer.out.grant_flags = flags;
      return answer;
    });
    EXPECT_EQ(server_->make_known(kNode), 0);
  }
  /// The index of the first request of this kind for node 7, or the number of all.
  [[nodiscard]] std::size_t first(Opcode opcode) const {
    const auto asked = server_->asked();
    std::size_t at = 0;
    while (at < asked.size() && asked[at].opcode != opcode) {
      ++at;
    }
    return at;
  }

  std::atomic<std::uint64_t> mapids_{0};
};

TEST_P(KernelMmapNodes, FaultsAreReadsOfTheNodeThatTheServerNamed) {
  start_with_node(2 * kPage);
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(5).c_str(), O_RDWR);
              const auto* const at = map(fd, PROT_READ, 4, kPage);
              return at[0] == 7 * 16 + 3 && at[3 * kPage] == 7 * 16 + 6 ? 0 : 1;
            }),
            0);
  const auto reads = asked(Opcode::read);
  ASSERT_FALSE(reads.empty());
  for (const Asked& read : reads) {
    EXPECT_EQ(read.nodeid, kNode);
    EXPECT_EQ(read.fh, kHandle);
  }
  ASSERT_TRUE(server_->wait_for(kMunmap, 1));
}

TEST_P(KernelMmapNodes, ItsOwnNodeIsOneAsOthersAre) {
  start_with_node();
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(kNode).c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE);
              at[0] = 1;
              return at[kPage] == 7 * 16 + 1 ? 0 : 1;
            }),
            0);
  ASSERT_TRUE(server_->wait_for(kMunmap, 1));
  EXPECT_EQ(server_->written(kNode)[0][0], std::byte{1});
}

TEST_P(KernelMmapNodes, WhatIsStoredComesBackBeforeTheMunmap) {
  start_with_node(kPage);
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(5).c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE, 4);
              ::close(fd);
              std::memcpy(at + 2 * kPage + 100, "stored", 6);
              ::munmap(at, kPage);
              return 0;
            }),
            0);
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  const auto writes = asked(Opcode::write);
  ASSERT_EQ(writes.size(), 1U);
  EXPECT_EQ(writes[0].nodeid, kNode);
  EXPECT_EQ(writes[0].fh, kHandle);
  EXPECT_EQ(writes[0].offset, 3 * kPage);
  const auto page = server_->written(kNode)[3];
  EXPECT_EQ(std::memcmp(page.data() + 100, "stored", 6), 0);
  EXPECT_EQ(page[99], std::byte{7 * 16 + 3});
  EXPECT_LT(first(Opcode::write), first(kMunmap));
  EXPECT_LT(first(kMunmap), first(Opcode::release));
  EXPECT_EQ(server_->count(kMunmap), 1U);
}

TEST_P(KernelMmapNodes, MsyncWritesAndSyncsByTheGrantsHandle) {
  start_with_node();
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(5).c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE, 4);
              at[5] = 77;
              return ::msync(at, kPage, MS_SYNC) == 0 ? 0 : errno;
            }),
            0);
  ASSERT_EQ(server_->count(Opcode::fsync), 1U);
  EXPECT_EQ(asked(Opcode::fsync).front().fh, kHandle);
  EXPECT_EQ(asked(Opcode::fsync).front().nodeid, kNode);
  EXPECT_LT(first(Opcode::write), first(Opcode::fsync));
}

TEST_P(KernelMmapNodes, TwoFilesThatAreGivenOneNodeShareIt) {
  start_with_node();
  Client other([this] {
    const int fd = ::open(server_->path(6).c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    while (at[0] != 200) {
      ::usleep(1000);
    }
    at[1] = 201;
    ::pause();
    return 0;
  });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(5).c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE);
              at[0] = 200;
              while (at[1] != 201) {
                ::usleep(1000);
              }
              return 0;
            }),
            0);
}

TEST_P(KernelMmapNodes, StoreAndInvalReachWhatIsMapped) {
  start_with_node(kPage);
  Client client([this] {
    const int fd = ::open(server_->path(5).c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE, 4);
    if (at[0] != 7 * 16 + 1) {
      return 1;
    }
    ring_.bytes()[0] = 1;  // seen
    while (at[0] != 99) {
      ::usleep(1000);
    }
    at[1] = 98;
    ring_.bytes()[0] = 2;
    while (ring_.bytes()[0] != 3) {
      ::usleep(1000);
    }
    return at[0] == 7 * 16 + 1 || at[0] == 99 ? 0 : 2;
  });
  wait_for_byte(0, 1);
  protocol::StoreNotice store{};
  store.nodeid = kNode;
  store.offset = kPage;
  store.size = 1;
  const std::byte value{99};
  EXPECT_EQ(server_->notify(Notice::store, &store, sizeof(store), &value, 1), 0);
  wait_for_byte(0, 2);
  const std::size_t reads = server_->count(Opcode::read);
  protocol::InvalInodeNotice inval{};
  inval.ino = kNode;
  inval.off = 0;
  inval.len = 0;
  EXPECT_EQ(server_->notify(Notice::inval_inode, &inval, sizeof(inval)), 0);
  ASSERT_TRUE(server_->wait_for(Opcode::write, 1)) << "what was stored is written back";
  EXPECT_EQ(server_->written(kNode)[1][1], std::byte{98});
  ring_.bytes()[0] = 3;
  EXPECT_EQ(client.wait(), 0);
  EXPECT_GT(server_->count(Opcode::read), reads) << "the next touch asks again";
}

TEST_P(KernelMmapNodes, PastTheNodesEndIsSigbus) {
  start_with_node();
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(5).c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE, 4, kNodeSize - kPage);
              guard_copies();
              unsigned char byte = 0;
              if (!copy_guarded(&byte, at, 1)) {
                return 1;
              }
              return copy_guarded(&byte, at + kPage, 1) ? 2 : 0;
            }),
            0);
}

TEST_P(KernelMmapNodes, APrivateMappingIsTheClientsOwn) {
  start_with_node();
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(5).c_str(), O_RDONLY);
              void* const at = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
              if (at == MAP_FAILED) {
                return errno;
              }
              auto* const bytes = static_cast<unsigned char*>(at);
              bytes[0] = 1;
              return bytes[1] == 7 * 16 ? 0 : 1;
            }),
            0);
  ASSERT_TRUE(server_->wait_for(kMunmap, 1));
  EXPECT_EQ(server_->count(Opcode::write), 0U);
}

TEST_P(KernelMmapNodes, MapsShowWhatWasOpened) {
  start_with_node();
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path(5).c_str(), O_RDWR);
              map(fd, PROT_READ);
              std::ifstream maps("/proc/self/maps");
              std::string line;
              while (std::getline(maps, line)) {
                if (line.find(server_->path(5)) != std::string::npos) {
                  return 0;
                }
              }
              return 1;
            }),
            0);
}

TEST_P(KernelMmapNodes, AKilledClientsStoresComeBack) {
  start_with_node();
  Client client([this] {
    const int fd = ::open(server_->path(5).c_str(), O_RDWR);
    map(fd, PROT_READ | PROT_WRITE)[3] = 44;
    ring_.bytes()[0] = 1;
    ::pause();
    return 0;
  });
  wait_for_byte(0, 1);
  client.kill();
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  EXPECT_EQ(server_->written(kNode)[0][3], std::byte{44});
  EXPECT_EQ(server_->count(kMunmap), 1U);
}

TEST_P(KernelMmapNodes, WithoutTheServerAbsentPagesAreSigbusAndPresentOnesStay) {
  start_with_node();
  Client client([this] {
    const int fd = ::open(server_->path(5).c_str(), O_RDWR);
    const auto* const at = map(fd, PROT_READ);
    ::madvise(const_cast<unsigned char*>(at), kRingSize, MADV_RANDOM);
    if (at[0] != 7 * 16) {
      return 1;
    }
    ring_.bytes()[0] = 1;
    while (ring_.bytes()[0] != 2) {
      ::usleep(1000);
    }
    if (at[0] != 7 * 16) {
      return 2;
    }
    guard_copies();
    unsigned char byte = 0;
    return copy_guarded(&byte, at + 15 * kPage, 1) ? 3 : 0;
  });
  wait_for_byte(0, 1);
  server_->end();
  ring_.bytes()[0] = 2;
  EXPECT_EQ(client.wait(), 0);
}

TEST_P(KernelMmapNodes, MixesOfEverythingEndEveryGrantOnce) {
  start_with_node();
  for (unsigned seed = 11; seed <= 14; ++seed) {
    EXPECT_EQ(run_client([this, seed] { return mix(server_->path(5), seed); }), 0) << "seed " << seed;
  }
  ASSERT_TRUE(server_->wait_for(kMunmap, mapids_));
  ASSERT_TRUE(server_->wait_for(Opcode::release, server_->count(Opcode::open)));
  EXPECT_EQ(server_->count(kMunmap), mapids_);
}

INSTANTIATE_TEST_SUITE_P(Files, KernelMmapNodes, ::testing::Values(MmapServer::Kind::fuse),
                         [](const auto& /*info*/) { return "Fuse"; });
INSTANTIATE_TEST_SUITE_P(Devices, KernelMmapNodes, ::testing::Values(MmapServer::Kind::cuse),
                         [](const auto& /*info*/) { return "Cuse"; });

}  // namespace
}  // namespace dmmap::testing
