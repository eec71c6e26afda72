// kernel/patches: mmap(2) answered by the server, on FUSE files and on CUSE devices. Run under the patched kernel.
#include "kernel/mmap_fixture.h"

namespace dmmap::testing {
namespace {

using protocol::MmapIn;
using protocol::Opcode;

TEST_P(KernelMmap, TheServerIsToldWhatIsAskedAndByWhom) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    const void* const at = ::mmap(nullptr, 3 * kPage - 5, PROT_READ, MAP_SHARED, fd, 2 * kPage);
    return at == MAP_FAILED ? 1 : 0;
  });
  EXPECT_EQ(client.wait(), 0);
  const auto in = server_->last_mmap();
  ASSERT_TRUE(in);
  EXPECT_EQ(in->fh, 1U);
  EXPECT_EQ(in->offset, 2 * kPage);
  EXPECT_EQ(in->length, 3 * kPage);
  EXPECT_EQ(in->prot, unsigned{PROT_READ});
  EXPECT_EQ(in->max_prot & unsigned{PROT_READ | PROT_WRITE}, unsigned{PROT_READ | PROT_WRITE});
  EXPECT_EQ(in->map_flags, unsigned{MAP_SHARED});
  EXPECT_EQ(in->padding, 0U);
  EXPECT_EQ(asked(kMmap).front().pid, static_cast<std::uint32_t>(client.pid()));

  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDONLY);
              return ::mmap(nullptr, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? 1 : 0;
            }),
            0);
  EXPECT_EQ(server_->last_mmap()->map_flags, unsigned{MAP_PRIVATE});
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDONLY);
              return ::mmap(nullptr, 1, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? 1 : 0;
            }),
            0);
  EXPECT_EQ(server_->last_mmap()->map_flags, unsigned{MAP_SHARED});
  EXPECT_EQ(server_->last_mmap()->max_prot & PROT_WRITE, 0U);
}

TEST_P(KernelMmap, ProtDecidesBetweenTwoRingsOfOneOpen) {
  start([this](const MmapIn& in) { return grant((in.prot & PROT_WRITE) != 0 ? ring_ : other_); });
  ring_.bytes()[0] = 11;
  other_.bytes()[0] = 22;
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const play = map(fd, PROT_READ | PROT_WRITE);
              auto* const record = map(fd, PROT_READ);
              if (play[0] != 11 || record[0] != 22) {
                return 1;
              }
              play[kPage] = 33;
              return 0;
            }),
            0);
  EXPECT_EQ(ring_.bytes()[kPage], 33);
  EXPECT_EQ(other_.bytes()[kPage], 0);
}

TEST_P(KernelMmap, TheOffsetIsTheServers) {
  start([this](const MmapIn& in) { return grant(ring_, in.offset + 3 * kPage); });
  for (std::size_t page = 0; page < kRingPages; ++page) {
    ring_.bytes()[page * kPage] = static_cast<unsigned char>(page + 1);
  }
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              const auto* const from_2 = map(fd, PROT_READ, 4, 2 * kPage);
              return from_2[0] == 6 && from_2[3 * kPage] == 9 ? 0 : 1;
            }),
            0);
}

TEST_P(KernelMmap, ARefusalIsTheErrnoThatTheServerSaid) {
  int code = 0;
  start([&code](const MmapIn& /*in*/) {
    MmapAnswer answer;
    answer.error = code;
    return answer;
  });
  for (const int said : {EPERM, EBUSY, ENOMEM, EAGAIN, ENXIO, EOPNOTSUPP, EINTR}) {
    code = said;
    EXPECT_EQ(run_client([this] {
                const int fd = ::open(server_->path().c_str(), O_RDWR);
                return ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
              }),
              said);
  }
  EXPECT_EQ(server_->count(kMunmap), 0U);
}

TEST_P(KernelMmap, WithoutTheOpenFlagNothingIsAsked) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); }, fopen_direct_io());
  EXPECT_EQ(shared_mmap_errno(), ENODEV);
  EXPECT_EQ(server_->count(kMmap), 0U);
}

TEST_P(KernelMmap, WithoutTheFlagOfInitNothingIsAsked) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); }, protocol::kOpenMmap | fopen_direct_io(), false);
  EXPECT_EQ(shared_mmap_errno(), ENODEV);
  EXPECT_EQ(server_->count(kMmap), 0U);
  const protocol::PageStoreNotice store{1, 0, 0};
  EXPECT_EQ(server_->notify(static_cast<protocol::Notice>(protocol::kNoticePageStore), &store, sizeof(store)), EINVAL);
}

TEST_P(KernelMmap, EnosysIsAskedOnceAndAllIsAsBefore) {
  start([](const MmapIn& /*in*/) {
    MmapAnswer answer;
    answer.error = ENOSYS;
    return answer;
  });
  EXPECT_EQ(shared_mmap_errno(), ENODEV);
  EXPECT_EQ(shared_mmap_errno(), ENODEV);
  EXPECT_EQ(server_->count(kMmap), 1U);
}

TEST_P(KernelMmap, AMapAndAnUnmapAreTwoRequests) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              for (int i = 0; i < 10; ++i) {
                auto* const at = map(fd, PROT_READ | PROT_WRITE);
                at[0] = 1;
                ::munmap(at, kRingSize);
              }
              return 0;
            }),
            0);
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  const auto asked = server_->asked();
  EXPECT_EQ(asked.size(), 1 + 10 * 2 + (GetParam() == MmapServer::Kind::fuse ? 2U : 1U)) << "FLUSH and RELEASE";
}

TEST_P(KernelMmap, ReleaseComesAfterTheLastMunmap) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    ::close(fd);
    at[0] = 7;
    ring_.bytes()[kPage] = 1;  // its own copy of the pointer, the same memory
    while (ring_.bytes()[kPage] == 1) {
      ::usleep(1000);
    }
    return 0;
  });
  wait_for_byte(kPage, 1);
  EXPECT_EQ(server_->count(kMunmap), 0U);
  EXPECT_EQ(server_->count(Opcode::release), 0U);
  ring_.bytes()[kPage] = 2;
  EXPECT_EQ(client.wait(), 0);
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  const auto asked = server_->asked();
  EXPECT_EQ(asked.back().opcode, Opcode::release);
  EXPECT_EQ(asked[asked.size() - 2].opcode, kMunmap);
  EXPECT_EQ(asked[asked.size() - 2].fh, 1U);
  EXPECT_EQ(asked[asked.size() - 2].mapid, 1U);
}

TEST_P(KernelMmap, PiecesAndForksAreCounted) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    ::close(fd);
    ::munmap(at + 4 * kPage, kPage);
    ::mprotect(at + 8 * kPage, kPage, PROT_READ);
    ::madvise(at, 2 * kPage, MADV_DONTFORK);
    for (int i = 0; i < 300; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::munmap(at + 6 * kPage, kPage);
        ::_exit(0);
      }
      ::waitpid(child, nullptr, 0);
    }
    ::munmap(at, 15 * kPage);
    void* const moved = ::mremap(at + 15 * kPage, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, at);
    if (moved != at) {
      return 1;
    }
    at[0] = 9;
    if (::fork() == 0) {
      while (ring_.bytes()[0] != 1) {
        ::usleep(1000);
      }
      ::_exit(0);
    }
    return 0;
  });
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(ring_.bytes()[15 * kPage], 9);
  EXPECT_EQ(server_->count(kMunmap), 0U) << "the child has the last piece";
  ring_.bytes()[0] = 1;
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  EXPECT_EQ(server_->count(kMunmap), 1U);
}

TEST_P(KernelMmap, AMappingOverAnotherEndsThat) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const first = map(fd, PROT_READ | PROT_WRITE);
              void* const second = ::mmap(first, kRingSize, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
              return second == first ? 0 : 1;
            }),
            0);
  ASSERT_TRUE(server_->wait_for(kMunmap, 2));
  std::vector<std::uint64_t> ended;
  for (const Asked& one : asked(kMunmap)) {
    ended.push_back(one.mapid);
  }
  EXPECT_THAT(ended, ::testing::ElementsAre(1, 2));
}

TEST_P(KernelMmap, AKilledClientsMappingsEnd) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    map(fd, PROT_READ | PROT_WRITE)[0] = 1;
    map(fd, PROT_READ);
    ::pause();
    return 0;
  });
  ASSERT_TRUE(server_->wait_for(kMmap, 2));
  client.kill();
  ASSERT_TRUE(server_->wait_for(kMunmap, 2));
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
}

TEST_P(KernelMmap, AClientThatWaitsCanBeKilledAndALateAnswerIsUnmapped) {
  start(never_answers());
  Client client([this] { return shared_mmap_errno_here(); });
  ASSERT_TRUE(server_->wait_for(kMmap, 1));
  client.kill();
  EXPECT_EQ(client.wait(), SIGKILL);
  ASSERT_TRUE(server_->wait_for(Opcode::interrupt, 1));
  const std::uint64_t unique = asked(kMmap).front().unique;
  EXPECT_EQ(asked(Opcode::interrupt).front().mapid, unique);
  EXPECT_EQ(server_->count(Opcode::release), 0U);
  const MmapAnswer late = grant(ring_);
  EXPECT_EQ(server_->answer(unique, 0, &late.out, sizeof(late.out)), 0);
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  EXPECT_EQ(asked(kMunmap).size(), 1U);
  EXPECT_EQ(asked(kMunmap).front().mapid, late.out.mapid);
}

TEST_P(KernelMmap, ALateRefusalToAKilledClientLeavesNothing) {
  start(never_answers());
  Client client([this] { return shared_mmap_errno_here(); });
  ASSERT_TRUE(server_->wait_for(kMmap, 1));
  client.kill();
  EXPECT_EQ(client.wait(), SIGKILL);
  EXPECT_EQ(server_->answer(asked(kMmap).front().unique, EINTR, nullptr, 0), 0);
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  EXPECT_EQ(server_->count(kMunmap), 0U);
}

TEST_P(KernelMmap, AServerThatDiesBeforeItAnswersIsAnError) {
  start(never_answers());
  Client client([this] { return shared_mmap_errno_here(); });
  ASSERT_TRUE(server_->wait_for(kMmap, 1));
  server_->end();
  const int status = client.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == ECONNABORTED) << status;
}

TEST_P(KernelMmap, AKilledClientAndThenADeadServerLeaveNothing) {
  start(never_answers());
  Client client([this] { return shared_mmap_errno_here(); });
  ASSERT_TRUE(server_->wait_for(kMmap, 1));
  client.kill();
  EXPECT_EQ(client.wait(), SIGKILL);
  server_->end();
}

TEST_P(KernelMmap, MappingsOutliveTheServer) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    at[kPage] = 1;
    while (at[0] == 0) {
      ::usleep(1000);
    }
    at[2 * kPage] = 5;
    const pid_t child = ::fork();
    if (child == 0) {
      ::_exit(at[0]);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::munmap(at, kPage);
    ::munmap(at + kPage, kRingSize - kPage);
    return WEXITSTATUS(status) == 3 ? 0 : 1;
  });
  wait_for_byte(kPage, 1);
  server_->end();
  ring_.bytes()[0] = 3;
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(ring_.bytes()[2 * kPage], 5);
}

TEST_P(KernelMmap, MixesOfEverythingEndEveryGrantOnce) {
  std::atomic<std::uint64_t> granted{0};
  start([this, &granted](const MmapIn& /*in*/) {
    MmapAnswer answer = grant(ring_, 0, static_cast<std::uint32_t>(granted % 4));
    answer.out.mapid = ++granted;
    return answer;
  });
  for (unsigned seed = 1; seed <= 6; ++seed) {
    const int said = run_client([this, seed] { return mix(server_->path(), seed); });
    EXPECT_EQ(said, 0) << "seed " << seed;
  }
  ASSERT_TRUE(server_->wait_for(kMunmap, granted));
  ASSERT_TRUE(server_->wait_for(Opcode::release, server_->count(Opcode::open)));
  std::vector<bool> ended(granted + 1);
  for (const Asked& one : asked(kMunmap)) {
    ASSERT_LT(one.mapid, ended.size());
    EXPECT_FALSE(ended[one.mapid]) << one.mapid << " has ended twice";
    ended[one.mapid] = true;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, KernelMmap, ::testing::Values(MmapServer::Kind::fuse),
                         [](const auto& /*info*/) { return "Fuse"; });
INSTANTIATE_TEST_SUITE_P(Devices, KernelMmap, ::testing::Values(MmapServer::Kind::cuse),
                         [](const auto& /*info*/) { return "Cuse"; });

}  // namespace
}  // namespace dmmap::testing
