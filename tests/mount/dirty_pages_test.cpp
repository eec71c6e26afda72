// DirtyPages on the real kernel: what was stored is brought before a question is answered that depends on it.
#include <dmmap/dirty_pages.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>

#include "mount/mounted.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

constexpr std::size_t kSize = 1 << 16;
constexpr NodeId kFile{2};

// One file, `f`, whose SEEK_DATA finds the first byte that isn't 0.
class SeekableFile final : public Filesystem {
 public:
  void mounted(Connection& connection) override { dirty_.mounted(connection); }
  void unmounted() override { dirty_.unmounted(); }
  [[nodiscard]] std::span<session::Interceptor* const> interceptors() override { return interceptors_; }

  void lookup(const LookupRequest& request, Reply<Entry> reply) override {
    if (request.name != "f") {
      reply.error(ENOENT);
      return;
    }
    reply.ok({.node = kFile, .attributes = attributes(kFile)});
  }
  void getattr(const GetattrRequest& request, Reply<AttributesReply> reply) override {
    reply.ok({attributes(request.node)});
  }
  void open(const OpenRequest& /*request*/, Reply<Opened> reply) override {
    ++opens_;
    reply.ok({.keep_cache = true});
  }
  void setattr(const SetattrRequest& request, Reply<AttributesReply> reply) override {
    reply.ok({attributes(request.node)});
  }
  void read(const ReadRequest& request, Reply<Data> reply) override {
    const std::lock_guard lock(lock_);
    reply.ok({std::as_bytes(std::span(bytes_)).subspan(request.offset, request.size)});
  }
  void write(const WriteRequest& request, Reply<Written> reply) override {
    if (full_) {
      reply.error(ENOSPC);
      return;
    }
    const std::lock_guard lock(lock_);
    std::memcpy(bytes_.data() + request.offset, request.data.data(), request.data.size());
    reply.ok({static_cast<std::uint32_t>(request.data.size())});
  }
  void lseek(const LseekRequest& request, Reply<Seeked> reply) override {
    dirty_.write_back(request.node, [&](const Result<void>& written) {
      if (!written) {
        reply.error(written.error().code);
        return;
      }
      const std::lock_guard lock(lock_);
      for (std::size_t at = request.offset; at < kSize; ++at) {
        if (bytes_[at] != 0) {
          reply.ok({at});
          return;
        }
      }
      reply.error(ENXIO);
    });
  }

  [[nodiscard]] DirtyPages& dirty() { return dirty_; }
  [[nodiscard]] int opens() const { return opens_; }
  void fill_up(bool full) { full_ = full; }
  [[nodiscard]] char byte(std::size_t at) {
    const std::lock_guard lock(lock_);
    return bytes_.at(at);
  }

 private:
  static Attributes attributes(NodeId node) {
    Attributes attributes;
    attributes.ino = node.value;
    attributes.mode = node == kFile ? S_IFREG | 0644 : S_IFDIR | 0755;
    attributes.size = node == kFile ? kSize : 0;
    return attributes;
  }

  DirtyPages dirty_{*this};
  const std::array<session::Interceptor*, 1> interceptors_{&dirty_.interceptor()};
  std::mutex lock_;
  std::array<char, kSize> bytes_{};
  std::atomic<int> opens_ = 0;
  std::atomic<bool> full_ = false;
};

class DirtyPagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    SessionOptions options;
    options.writeback_cache = true;
    mounted_.emplace(filesystem_, options);
    file_.reset(::open((*mounted_ / "f").c_str(), O_RDWR));
    ASSERT_TRUE(file_);
    mapped_.emplace(file_.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
    ASSERT_TRUE(mapped_->ok());
  }
  // munmap(2) writes back too, with the address space of this process locked, in which the server allocates.
  void TearDown() override {
    ::fsync(file_.get());
    mapped_.reset();
    file_.reset();
  }

  SeekableFile filesystem_;
  std::optional<Mounted> mounted_;
  UniqueFd file_;
  std::optional<ClientMap> mapped_;
};

TEST_F(DirtyPagesTest, SeekFindsWhatWasJustStored) {
  mapped_->bytes()[20000] = 1;
  if (!needs::kernel(6, 16).empty()) {
    EXPECT_EQ(::lseek(file_.get(), 0, SEEK_DATA), -1);
    EXPECT_EQ(errno, EOPNOTSUPP) << "before Linux 6.16 an answer might come too early";
    return;
  }
  EXPECT_EQ(::lseek(file_.get(), 0, SEEK_DATA), 20000);
  mapped_->bytes()[100] = 1;
  EXPECT_EQ(::pwrite(file_.get(), "x", 1, 50), 1);
  EXPECT_EQ(::lseek(file_.get(), 0, SEEK_DATA), 50);
  EXPECT_EQ(::lseek(file_.get(), 51, SEEK_DATA), 100);
  EXPECT_EQ(filesystem_.opens(), 1) << "its own files don't come to the server";
}

TEST_F(DirtyPagesTest, SeekIsToldOfARefusedWrite) {
  if (!needs::kernel(6, 16).empty()) {
    return;  // as above
  }
  mapped_->bytes()[20000] = 1;
  filesystem_.fill_up(true);
  EXPECT_EQ(::lseek(file_.get(), 0, SEEK_DATA), -1);
  EXPECT_EQ(errno, ENOSPC);
  filesystem_.fill_up(false);
  mapped_->bytes()[20000] = 2;
  EXPECT_EQ(::lseek(file_.get(), 0, SEEK_DATA), 20000);
}

TEST_F(DirtyPagesTest, WhoHandlesNoRequestHasThemBroughtWithAnyKernel) {
  mapped_->bytes()[20000] = 1;
  EXPECT_TRUE(filesystem_.dirty().write_back(kFile));
  EXPECT_EQ(filesystem_.byte(20000), 1);
  mapped_->bytes()[20000] = 2;
  filesystem_.fill_up(true);
  EXPECT_EQ(filesystem_.dirty().write_back(kFile).error().code, ENOSPC);
  filesystem_.fill_up(false);
  mapped_->bytes()[20000] = 3;
  EXPECT_TRUE(filesystem_.dirty().write_back(kFile));
  EXPECT_EQ(filesystem_.byte(20000), 3);
  EXPECT_EQ(filesystem_.opens(), 1) << "its own files don't come to the server";
}

TEST_F(DirtyPagesTest, FromAnyThreadWhileThereIsAMount) {
  mapped_->bytes()[7] = 1;
  int called = 0;
  filesystem_.dirty().write_back(kFile, [&](const Result<void>& written) {
    EXPECT_EQ(written.has_value(), needs::kernel(6, 16).empty());
    ++called;
  });
  EXPECT_TRUE(filesystem_.dirty().write_back(kFile));
  EXPECT_EQ(filesystem_.byte(7), 1);
  TearDown();
  mounted_->end();
  filesystem_.dirty().write_back(kFile, [&called](const Result<void>& written) {
    EXPECT_EQ(written.error().code, ENOTCONN);
    ++called;
  });
  EXPECT_EQ(filesystem_.dirty().write_back(kFile).error().code, ENOTCONN);
  EXPECT_EQ(called, 2);
}

}  // namespace
}  // namespace dmmap::testing
