// KernelMmap: a MmapServer, memory for it to grant, and clients, on a file or a device as the parameter says.
//
// Promises: each test fails, too, when the kernel has warned of anything meanwhile.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernel/client_process.h"
#include "kernel/mmap_server.h"
#include "support/mounts.h"

namespace dmmap::testing {

inline constexpr std::size_t kRingPages = 16;
inline constexpr std::size_t kRingSize = kRingPages * kPage;

/// A memfd, which the server has mapped too.
class Memory {
 public:
  Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::span<unsigned char> bytes() const { return {base_, kRingSize}; }
  void unmap();

 private:
  UniqueFd fd_;
  unsigned char* base_ = nullptr;
};

/// Maps, changes, forks and unmaps at random: for a client. 0.
int mix(const std::string& path, unsigned seed);

class KernelMmapTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// A server of this kind; the one before ends.
  void start(MmapServer::Options options, MmapPolicy policy);
  /// Memory, from `offset` bytes on.
  MmapAnswer grant(const Memory& memory, std::uint64_t offset = 0, std::uint32_t flags = 0);

  /// For clients: maps so many pages, or ends the process with 99.
  static unsigned char* map(int fd, int prot, std::size_t pages = kRingPages, std::uint64_t offset = 0);
  /// For clients: what a page's mmap gives, errno(3) or 0.
  int shared_mmap_errno_here(int prot = PROT_READ);
  /// The same, of a client of its own.
  int shared_mmap_errno(int prot = PROT_READ);

  [[nodiscard]] std::vector<Asked> asked(protocol::Opcode opcode) const;
  /// Until a client has stored this into ring_.
  void wait_for_byte(std::size_t at, int value) const;

  Memory ring_;
  Memory other_;
  std::unique_ptr<MmapServer> server_;

 private:
  std::map<int, std::int32_t> backings_;
  std::uint64_t next_mapid_ = 1;
  UniqueFd kernel_log_;
};

class KernelMmap : public KernelMmapTest, public ::testing::WithParamInterface<MmapServer::Kind> {
 protected:
  using KernelMmapTest::start;
  void start(MmapPolicy policy, std::uint32_t open_flags = protocol::kOpenMmap | fopen_direct_io(),
             bool want_requests = true) {
    start({GetParam(), open_flags, want_requests}, std::move(policy));
  }
  static constexpr std::uint32_t fopen_direct_io() { return 1; }
  /// Until the test does.
  static MmapPolicy never_answers() {
    return [](const protocol::MmapIn& /*in*/) {
      MmapAnswer answer;
      answer.now = false;
      return answer;
    };
  }
};

}  // namespace dmmap::testing
