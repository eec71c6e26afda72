#include "kernel/mmap_fixture.h"

#include <array>
#include <cstdlib>
#include <random>

namespace dmmap::testing {

Memory::Memory() : fd_(::memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (::ftruncate(fd_.get(), kRingSize) == 0) {
    base_ = static_cast<unsigned char*>(::mmap(nullptr, kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
  }
}

Memory::~Memory() {
  unmap();
}

void Memory::unmap() {
  if (base_ != nullptr) {
    ::munmap(base_, kRingSize);
    base_ = nullptr;
  }
}

namespace {

std::string new_lines(int kernel_log) {
  std::string text;
  std::array<char, 8192> record{};
  while (true) {
    const ssize_t size = ::read(kernel_log, record.data(), record.size());
    if (size < 0) {
      return text;
    }
    text.append(record.data(), static_cast<std::size_t>(size));
  }
}

// What the kernel has complained of; "" when of nothing.
std::string complaint_in(const std::string& text) {
  for (const char* const bad : {"WARNING", "BUG", "Oops", "INFO:", "refcount_t", "Call Trace"}) {
    for (std::size_t at = text.find(bad); at != std::string::npos; at = text.find(bad, at + 1)) {
      // User-Mode Linux's own: to unmap by a file's mapping it walks another process's VMAs without a lock
      // (arch/um/kernel/tlb.c, flush_tlb_mm). Each place says so once.
      constexpr std::size_t kLong = 6000;
      const std::string around = text.substr(at < kLong ? 0 : at - kLong, 2 * kLong);
      const bool known =
          around.find("suspicious RCU usage") != std::string::npos && around.find("flush_tlb_mm+") != std::string::npos;
      if (!known) {
        return text;
      }
    }
  }
  return "";
}

bool kernel_offers_it() {
  const MmapServer server({}, [](const protocol::MmapIn& /*in*/) { return MmapAnswer{}; });
  return server.trouble().empty() && server.offered();
}

}  // namespace

void KernelMmapTest::SetUp() {
  static const bool offered = kernel_offers_it();
  if (!offered) {
    ASSERT_EQ(std::getenv("DMMAP_KERNEL_PATCHED"), nullptr) << "this is the patched kernel, and doesn't ask for mmap";
    GTEST_SKIP() << "mmap answered by the server: a kernel with kernel/patches is needed";
  }
  kernel_log_.reset(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ::lseek(kernel_log_.get(), 0, SEEK_END);
}

void KernelMmapTest::TearDown() {
  server_.reset();
  EXPECT_EQ(complaint_in(new_lines(kernel_log_.get())), "");
}

void KernelMmapTest::start(MmapServer::Options options, MmapPolicy policy) {
  server_.reset();
  backings_.clear();
  next_mapid_ = 1;
  server_ = std::make_unique<MmapServer>(options, std::move(policy));
  ASSERT_EQ(server_->trouble(), "");
  ASSERT_TRUE(server_->offered()) << "this kernel hasn't got kernel/patches";
  if (options.kind == MmapServer::Kind::cuse) {
    ASSERT_TRUE(wait_until([this] { return ::access(server_->path().c_str(), F_OK) == 0; }, std::chrono::seconds{10}));
  }
}

MmapAnswer KernelMmapTest::grant(const Memory& memory, std::uint64_t offset, std::uint32_t flags) {
  auto [backing, fresh] = backings_.try_emplace(memory.fd());
  if (fresh) {
    backing->second = server_->open_backing(memory.fd());
  }
  MmapAnswer answer;
  answer.out.mapid = next_mapid_++;
  answer.out.backing_id = backing->second;
  answer.out.offset = offset;
  answer.out.grant_flags = flags;
  return answer;
}

unsigned char* KernelMmapTest::map(int fd, int prot, std::size_t pages, std::uint64_t offset) {
  void* const at = ::mmap(nullptr, pages * kPage, prot, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) {
    ::_exit(99);
  }
  return static_cast<unsigned char*>(at);
}

int KernelMmapTest::shared_mmap_errno_here(int prot) {
  const int fd = ::open(server_->path().c_str(), O_RDWR);
  return ::mmap(nullptr, kPage, prot, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
}

int KernelMmapTest::shared_mmap_errno(int prot) {
  return run_client([this, prot] { return shared_mmap_errno_here(prot); });
}

std::vector<Asked> KernelMmapTest::asked(protocol::Opcode opcode) const {
  std::vector<Asked> some;
  for (const Asked& one : server_->asked()) {
    if (one.opcode == opcode) {
      some.push_back(one);
    }
  }
  return some;
}

void KernelMmapTest::wait_for_byte(std::size_t at, int value) const {
  EXPECT_TRUE(wait_until([&] { return ring_.bytes()[at] == value; }, std::chrono::seconds{10}));
}

namespace {

struct Piece {
  char* at;
  std::size_t pages;
};

class Mixer {
 public:
  Mixer(const std::string& path, unsigned seed)
      : file_(::open(path.c_str(), O_RDWR)), zeros_(::open("/dev/zero", O_RDONLY)), random_(seed) {}

  void step(bool may_fork) {
    Piece* const some = pieces_.empty() ? nullptr : &pieces_[below(pieces_.size())];
    if (some == nullptr || some->pages == 0 || below(5) == 0) {
      const std::size_t pages = 1 + below(kRingPages);
      const int prot = PROT_READ | (below(2) == 0 ? PROT_WRITE : 0);
      void* const at = ::mmap(nullptr, pages * kPage, prot, below(4) == 0 ? MAP_PRIVATE : MAP_SHARED, file_,
                              static_cast<off_t>(below(kRingPages) * kPage));
      if (at != MAP_FAILED) {
        pieces_.push_back({static_cast<char*>(at), pages});
      }
      return;
    }
    // Within the piece: around it may be what the process needs itself.
    const std::size_t first = below(some->pages);
    char* const at = some->at + first * kPage;
    const std::size_t size = (1 + below(some->pages - first)) * kPage;
    switch (below(9)) {
      case 0:
        // Holes stay ours: a mapping of nothing keeps the place.
        static_cast<void>(::mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        break;
      case 1:
        ::mprotect(at, size, below(2) == 0 ? PROT_READ : PROT_READ | PROT_WRITE);
        break;
      case 2: {
        const std::size_t pages = 1 + below(20);
        void* const moved = ::mremap(at, size, pages * kPage, MREMAP_MAYMOVE);
        if (moved != MAP_FAILED) {
          some->pages = first;
          pieces_.push_back({static_cast<char*>(moved), pages});
        }
        break;
      }
      case 3:
        ::madvise(at, size, MADV_DONTFORK);
        break;
      case 4:
        ::madvise(at, size, MADV_DOFORK);
        break;
      case 5:
        ::madvise(at, size, below(2) == 0 ? MADV_REMOVE : MADV_DONTNEED);
        break;
      case 6:
        // EFAULT, not a signal, where nothing is mapped.
        static_cast<void>(!::read(zeros_, at, size));
        break;
      case 7:
        if (void* const again = ::mmap(at, size, PROT_READ, MAP_SHARED | MAP_FIXED, file_, 0); again != MAP_FAILED) {
          pieces_.push_back({static_cast<char*>(again), size / kPage});
        }
        break;
      default:
        if (may_fork) {
          const pid_t child = ::fork();
          if (child == 0) {
            for (int i = 0; i < 5; ++i) {
              step(false);
            }
            ::_exit(0);
          }
          ::waitpid(child, nullptr, 0);
        }
    }
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }

  int file_;
  int zeros_;
  std::mt19937 random_;
  std::vector<Piece> pieces_;
};

}  // namespace

int mix(const std::string& path, unsigned seed) {
  Mixer mixer(path, seed);
  for (int i = 0; i < 250; ++i) {
    mixer.step(true);
  }
  return 0;
}

}  // namespace dmmap::testing
