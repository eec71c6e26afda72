// kernel/patches, on a kernel that looks after itself (kernel/um --debug): each allocation on the way fails once, and
// nothing of what was allocated is left at the end.
#include <fmt/format.h>
#include <sys/mount.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "kernel/mmap_fixture.h"
#include "support/guarded_copy.h"

namespace dmmap::testing {
namespace {

using protocol::MmapIn;
using protocol::Opcode;
using protocol::PageIn;

constexpr const char* kDebug = "/sys/kernel/debug";
constexpr const char* kLeaks = "/sys/kernel/debug/kmemleak";

bool mount_debugfs() {
  return ::access(kLeaks, F_OK) == 0 || ::mount("debugfs", kDebug, "debugfs", 0, nullptr) == 0;
}

/// fault-injection.rst: the nth allocation of this thread from now on fails; 0: none. Returns whether it could be set.
bool fail_nth(int nth) {
  std::ofstream file("/proc/thread-self/fail-nth");
  file << nth << std::flush;
  return file.good();
}
/// How many are left until then; 0: it has failed.
int left_to_fail() {
  int left = 0;
  std::ifstream("/proc/thread-self/fail-nth") >> left;
  return left;
}

struct Way {
  MmapServer::Kind kind;
  const char* what;  ///< "memory", "node", "pages"
};

class KernelMmapFailing : public KernelMmapTest {
 protected:
  void SetUp() override {
    KernelMmapTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    if (!mount_debugfs() || !fail_nth(0)) {
      ASSERT_EQ(std::getenv("DMMAP_KERNEL_DEBUG"), nullptr) << "this is the debug kernel, and can't make things fail";
      GTEST_SKIP() << "failing allocations: a kernel with fault injection is needed (kernel/um --debug)";
    }
    for (const char* const kind : {"failslab", "fail_page_alloc"}) {
      for (const char* const setting : {"ignore-gfp-wait", "ignore-gfp-highmem", "min-order", "verbose"}) {
        std::ofstream(fmt::format("{}/{}/{}", kDebug, kind, setting)) << 0;
      }
    }
  }
};

class KernelMmapTrouble : public KernelMmapFailing, public ::testing::WithParamInterface<Way> {
 protected:
  MmapAnswer answer() {
    const std::string what = GetParam().what;
    if (what == "memory") {
      return grant(ring_);
    }
    MmapAnswer answer;
    answer.out.mapid = ++mapids_;
    if (what == "node") {
      answer.out.nodeid = 5;  // which is a file's own
    } else {
      answer.out.grant_flags = protocol::kMmapPages;
    }
    return answer;
  }

  std::atomic<std::uint64_t> mapids_{0};
};

TEST_P(KernelMmapTrouble, EachAllocationMayFail) {
  std::atomic<std::size_t> granted{0};
  start({GetParam().kind}, [&](const MmapIn& /*in*/) {
    ++granted;
    return answer();
  });
  EXPECT_EQ(server_->make_known(5), 0);
  std::atomic<std::uint64_t> pages{0};
  // A new page each time.
  server_->set_page_policy([&pages](const PageIn& /*in*/) { return PageAnswer{.pageid = ++pages, .bytes = {}}; });
  // Told by the client: how many allocations there were, and how many failures were seen.
  auto* const told = reinterpret_cast<int*>(ring_.bytes().data() + 8 * kPage);
  EXPECT_EQ(run_client([this, told] {
              const int fd = ::open(server_->path(5).c_str(), O_RDWR);
              guard_copies();
              unsigned char byte = 0;
              for (int nth = 1; nth < 500; ++nth) {
                if (!fail_nth(nth)) {
                  return 1;
                }
                void* const at = ::mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                const int code = at == MAP_FAILED ? errno : 0;
                const bool touched = code == 0 && copy_guarded(&byte, static_cast<unsigned char*>(at), 1) &&
                                     copy_guarded(static_cast<unsigned char*>(at) + kPage, &byte, 1);
                const int unmapped = code == 0 ? ::munmap(at, 2 * kPage) : 0;
                const int left = left_to_fail();
                fail_nth(0);
                if (code == 0) {
                  ::munmap(at, 4 * kPage);
                }
                if (code != 0 && code != ENOMEM) {
                  return code;
                }
                told[0] = nth;
                told[1] += code != 0 || !touched || unmapped != 0 ? 1 : 0;
                if (left != 0) {
                  return 0;
                }
              }
              return 2;
            }),
            0);
  EXPECT_GT(told[0], 5);
  EXPECT_GT(told[1], 1);
  std::cout << told[0] << " allocations, " << told[1] << " of which were missed\n";
  ASSERT_TRUE(server_->wait_for(Opcode::release, 1));
  EXPECT_EQ(server_->count(kMunmap), granted);
}

INSTANTIATE_TEST_SUITE_P(Ways, KernelMmapTrouble,
                         ::testing::Values(Way{MmapServer::Kind::fuse, "memory"}, Way{MmapServer::Kind::fuse, "node"},
                                           Way{MmapServer::Kind::fuse, "pages"}, Way{MmapServer::Kind::cuse, "memory"},
                                           Way{MmapServer::Kind::cuse, "node"}, Way{MmapServer::Kind::cuse, "pages"}),
                         [](const auto& way) {
                           return fmt::format("{}_{}", way.param.kind == MmapServer::Kind::fuse ? "fuse" : "cuse",
                                              way.param.what);
                         });

// The server's own way to a device's nodes. What fails is the thread's that asks, not that which serves.
TEST_F(KernelMmapFailing, AServersWayToItsNodesMayFailAnywhere) {
  start({MmapServer::Kind::cuse}, [](const MmapIn& /*in*/) { return MmapAnswer{}; });
  int missed = 0;
  for (int nth = 1;; ++nth) {
    ASSERT_LT(nth, 500);
    ASSERT_TRUE(fail_nth(nth));
    const int fd = server_->open_node(static_cast<std::uint64_t>(2 + nth % 90), O_RDWR);
    char byte = 1;
    const bool read = fd >= 0 && ::pread(fd, &byte, 1, 0) == 1;
    const bool written = read && ::pwrite(fd, &byte, 1, 0) == 1;
    const int left = left_to_fail();
    fail_nth(0);
    if (fd >= 0) {
      ::close(fd);
    } else {
      EXPECT_EQ(fd, -ENOMEM) << nth;
    }
    missed += written ? 0 : 1;
    if (left != 0) {
      EXPECT_TRUE(written) << "nothing has failed";
      break;
    }
  }
  EXPECT_GT(missed, 5);
  std::cout << missed << " allocations were missed\n";
}

// At the end of all: what the kernel has lost track of.
class Leaks : public ::testing::Environment {
 public:
  void TearDown() override {
    if (::access(kLeaks, F_OK) != 0) {
      return;
    }
    constexpr std::chrono::seconds kYoungest{6};  // mm/kmemleak.c, MSECS_MIN_AGE: 5 s
    std::this_thread::sleep_for(kYoungest);
    for (int scan = 0; scan < 2; ++scan) {
      std::ofstream(kLeaks) << "scan" << std::flush;
    }
    std::ifstream file(kLeaks);
    const std::string found{std::istreambuf_iterator<char>(file), {}};
    for (const char* const ours : {"fuse", "cuse", "backing_file"}) {
      EXPECT_EQ(found.find(ours), std::string::npos) << found;
    }
  }
};
[[maybe_unused]] const auto* const leaks = ::testing::AddGlobalTestEnvironment(new Leaks);

}  // namespace
}  // namespace dmmap::testing
