// kernel/patches: what a grant's flags and seals do, and answers that can't be. The fixture's kinds are those that
// kernel_mmap_test.cpp names.
#include "kernel/mmap_fixture.h"

namespace dmmap::testing {
namespace {

using protocol::MmapIn;
using protocol::MmapOut;
using protocol::Opcode;

TEST_P(KernelMmap, DontCopyIsNotInherited) {
  start([this](const MmapIn& /*in*/) { return grant(ring_, 0, protocol::kMmapDontCopy); });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE);
              const pid_t child = ::fork();
              if (child == 0) {
                unsigned char resident = 0;
                ::_exit(::mincore(at, kPage, &resident) == 0 ? 1 : errno);
              }
              int status = 0;
              ::waitpid(child, &status, 0);
              return WEXITSTATUS(status) == ENOMEM ? 0 : 1;
            }),
            0);
}

TEST_P(KernelMmap, DontExpandCannotGrow) {
  start([this](const MmapIn& /*in*/) { return grant(ring_, 0, protocol::kMmapDontExpand); });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE, 2);
              return ::mremap(at, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE) == MAP_FAILED ? errno : 0;
            }),
            EFAULT);
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              auto* const at = map(fd, PROT_READ | PROT_WRITE, 2);
              return ::mremap(at, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE) == MAP_FAILED ? errno : 0;
            }),
            0);
}

TEST_P(KernelMmap, ReadOnlyCannotBeStoredInto) {
  start([this](const MmapIn& /*in*/) { return grant(ring_, 0, protocol::kMmapReadOnly); });
  EXPECT_EQ(run_client([this] {
              const int fd = ::open(server_->path().c_str(), O_RDWR);
              if (::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED || errno != EACCES) {
                return 1;
              }
              auto* const at = map(fd, PROT_READ);
              if (::mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0 || errno != EACCES) {
                return 2;
              }
              // Nor by a detour.
              if (::remap_file_pages(at, kPage, 0, 1, 0) == 0 &&
                  (::mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0 || errno != EACCES)) {
                return 4;
              }
              // A private copy is the client's own.
              void* const own = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
              if (own == MAP_FAILED) {
                return 3;
              }
              *static_cast<unsigned char*>(own) = 1;
              return 0;
            }),
            0);
  EXPECT_EQ(ring_.bytes()[0], 0);
  ASSERT_TRUE(server_->wait_for(kMunmap, 3)) << "what was granted and couldn't be is unmapped too";
}

TEST_P(KernelMmap, SealsBind) {
  start([this](const MmapIn& /*in*/) { return grant(ring_); });
  // A grant that can be stored into keeps the seal away.
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    map(fd, PROT_READ | PROT_WRITE)[0] = 1;
    ring_.unmap();
    ::pause();
    return 0;
  });
  wait_for_byte(0, 1);
  ring_.unmap();  // the server's own would keep it away, too
  EXPECT_EQ(::fcntl(ring_.fd(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  EXPECT_EQ(errno, EBUSY);
  client.kill();
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  ASSERT_TRUE(
      wait_until([this] { return ::fcntl(ring_.fd(), F_ADD_SEALS, F_SEAL_WRITE) == 0; }, std::chrono::seconds{5}));
  ::fcntl(other_.fd(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
  for (Memory* const sealed : {&ring_, &other_}) {
    server_->set_policy([this, sealed](const MmapIn& /*in*/) { return grant(*sealed); });
    EXPECT_EQ(shared_mmap_errno(PROT_READ | PROT_WRITE), EPERM);
    EXPECT_EQ(run_client([this] {
                const int fd = ::open(server_->path().c_str(), O_RDWR);
                auto* const at = map(fd, PROT_READ);
                return ::mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0 ? 0 : errno;
              }),
              EACCES);
  }
}

TEST_P(KernelMmap, AnAnswerThatCannotBeIsEioAndUnmapped) {
  MmapOut out{};
  std::size_t size = sizeof(MmapOut);
  start([&](const MmapIn& /*in*/) {
    MmapAnswer answer;
    answer.out = out;
    answer.size = size;
    return answer;
  });
  const std::int32_t good = server_->open_backing(ring_.fd());
  ASSERT_GT(good, 0);
  struct Case {
    const char* what = "";
    std::uint64_t offset = 0;
    std::uint64_t nodeid = 0;
    std::int32_t backing = 0;
    std::uint32_t flags = 0;
  };
  std::size_t unmapped = 0;
  for (const Case& one : {
           Case{"neither a node nor a backing file", 0, 0, 0, 0},
           Case{"both", 0, 5, good, 0},
           Case{"a negative id", 0, 0, -1, 0},
           Case{"an id that's none", 0, 0, good + 1000, 0},
           Case{"the largest id", 0, 0, INT32_MAX, 0},
           Case{"the root", 0, 1, 0, 0},
           Case{"a node that's none", 0, 77, 0, 0},
           Case{"an offset past all nodes", std::uint64_t{1} << 63U, 5, 0, 0},
           Case{"an offset within a page", 100, 0, good, 0},
           Case{"an offset past all files", ~std::uint64_t{0} - kPage + 1, 0, good, 0},
           Case{"an offset that the end overflows", ~std::uint64_t{0} - 4 * kPage + 1, 0, good, 0},
           Case{"an offset past what a file can have", std::uint64_t{1} << 63U, 0, good, 0},
           Case{"a flag that's none", 0, 0, good, 16},
           Case{"pages, and a backing file", 0, 0, good, protocol::kMmapPages},
           Case{"all flags", 0, 0, good, ~0U},
       }) {
    out = {};
    out.mapid = ++unmapped;
    out.offset = one.offset;
    out.nodeid = one.nodeid;
    out.backing_id = one.backing;
    out.grant_flags = one.flags;
    EXPECT_EQ(shared_mmap_errno(), EIO) << one.what;
    ASSERT_TRUE(server_->wait_for(kMunmap, unmapped)) << one.what;
    EXPECT_EQ(asked(kMunmap).back().mapid, unmapped) << one.what;
  }
  // What isn't an answer at all grants nothing.
  out.backing_id = good;
  out.nodeid = 0;
  out.offset = 0;
  out.grant_flags = 0;
  for (const std::size_t wrong : {std::size_t{0}, sizeof(MmapOut) - 8, sizeof(MmapOut) + 8}) {
    size = wrong;
    EXPECT_EQ(shared_mmap_errno(), EIO) << wrong;
  }
  size = sizeof(MmapOut);
  EXPECT_EQ(shared_mmap_errno(), 0) << "all is well after that";
  ASSERT_TRUE(server_->wait_for(kMunmap, unmapped + 1));
  EXPECT_EQ(server_->count(kMunmap), unmapped + 1);
}

TEST_P(KernelMmap, AnswersTwiceToNobodyOrWithAnErrorThatIsNoneAreRefused) {
  start(never_answers());
  const MmapAnswer good = grant(ring_);
  Client client([this] { return shared_mmap_errno_here(); });
  ASSERT_TRUE(server_->wait_for(kMmap, 1));
  const std::uint64_t unique = asked(kMmap).front().unique;
  EXPECT_EQ(server_->answer(unique + 1000, 0, &good.out, sizeof(good.out)), ENOENT);
  EXPECT_EQ(server_->answer(unique, -5, nullptr, 0), EINVAL) << "a positive error";
  EXPECT_EQ(server_->answer(unique, 5000, nullptr, 0), EINVAL);
  EXPECT_EQ(server_->answer(unique, 0, &good.out, sizeof(good.out)), 0);
  EXPECT_EQ(server_->answer(unique, 0, &good.out, sizeof(good.out)), ENOENT) << "twice";
  EXPECT_EQ(client.wait(), 0);
  ASSERT_TRUE(server_->wait_for(kMunmap, 1));
}

TEST_P(KernelMmap, ABackingThatWasClosedGoesOnWhereItIsMapped) {
  std::int32_t id = 0;
  start([&id](const MmapIn& /*in*/) {
    MmapAnswer answer;
    answer.out.mapid = 1;
    answer.out.backing_id = id;
    return answer;
  });
  id = server_->open_backing(ring_.fd());
  Client client([this] {
    const int fd = ::open(server_->path().c_str(), O_RDWR);
    auto* const at = map(fd, PROT_READ | PROT_WRITE);
    at[0] = 1;
    while (at[0] == 1) {
      ::usleep(1000);
    }
    at[kPage] = 4;
    return 0;
  });
  wait_for_byte(0, 1);
  EXPECT_EQ(server_->close_backing(id), 0);
  EXPECT_EQ(server_->close_backing(id), ENOENT);
  EXPECT_EQ(shared_mmap_errno(), EIO) << "a new one";
  ring_.bytes()[0] = 2;
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(ring_.bytes()[kPage], 4);
}

// A file that's granted itself can be a backing file, but not be granted once more.
TEST_P(KernelMmap, GrantsDoNotNest) {
  start(MmapServer::Options(), MmapPolicy());
  const std::unique_ptr<MmapServer> inner = std::move(server_);
  MmapAnswer below;
  below.out.mapid = 7;
  below.out.backing_id = inner->open_backing(ring_.fd());
  inner->set_policy([below](const MmapIn& /*in*/) { return below; });
  const UniqueFd file(::open(inner->path().c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_GE(file.get(), 0);
  std::int32_t id = 0;
  start([&id](const MmapIn& /*in*/) {
    MmapAnswer answer;
    answer.out.mapid = 1;
    answer.out.backing_id = id;
    return answer;
  });
  id = server_->open_backing(file.get());
  if (GetParam() == MmapServer::Kind::fuse) {
    EXPECT_EQ(id, -ELOOP) << "which a file system that's stacked on must not be";
    return;
  }
  ASSERT_GT(id, 0);
  EXPECT_EQ(shared_mmap_errno(), EIO);
  ASSERT_TRUE(server_->wait_for(kMunmap, 1));
  ASSERT_TRUE(inner->wait_for(kMunmap, 1)) << "the inner one is over, too";
}

}  // namespace
}  // namespace dmmap::testing
