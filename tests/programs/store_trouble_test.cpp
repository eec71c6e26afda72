// `dmmap store` where something is wrong: with what it's told, with the store, or with the disk.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "programs/store_server.h"
#include "support/files.h"
#include "support/mounts.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kSoon{30};

class StoreTrouble : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::mounting()); }
  Outcome store(std::vector<std::string> words) const {
    words.insert(words.begin(), {DMMAP_PROGRAM, "store"});
    return run(std::move(words), kSoon);
  }
  TemporaryDirectory directory_;
};

TEST_F(StoreTrouble, SaysWhatToDo) {
  const std::string mnt = directory_ / "mnt";
  std::filesystem::create_directory(mnt);
  const Outcome missing = store({directory_ / "none", mnt});
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("there's no store in"), HasSubstr("--create makes one")));
  EXPECT_EQ(store({directory_ / "none"}).status, 2);
  EXPECT_EQ(store({"stat", directory_ / "none"}).status, 1);
  EXPECT_EQ(store({"check", directory_ / "none"}).status, 1);
  EXPECT_EQ(store({directory_ / "none", mnt, "--cache=1"}).status, 2);

  std::filesystem::create_directory(directory_ / "other");
  std::ofstream(directory_ / "other" / "letter") << "dear";
  EXPECT_THAT(store({directory_ / "other", mnt, "--create"}).err, HasSubstr("has other things in it, such as letter"));

  StoreServer server;
  ASSERT_TRUE(server.ready());
  const Outcome locked = store({server.database(), mnt});
  EXPECT_EQ(locked.status, 1);
  EXPECT_THAT(locked.err, HasSubstr("is in use by another process"));
  EXPECT_EQ(store({"stat", server.database()}).status, 0) << "what is in a store can be seen while it's served";
  server.end_and_check();
  std::filesystem::remove(server.database() / "rocksdb" / "CURRENT");
  EXPECT_THAT(store({"check", server.database()}).err, HasSubstr("CURRENT is missing"));
  std::ofstream(server.database() / "format") << "2\n";
  EXPECT_THAT(store({server.database(), mnt}).err, HasSubstr("is of format 2"));
  std::ofstream(server.database() / "format") << "";
  EXPECT_THAT(store({server.database(), mnt}).err, HasSubstr("damaged"));
}

TEST_F(StoreTrouble, WhoIsToldThatItIsReadyMayEndIt) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "mnt");
  for (int tries = 0; tries < 10; ++tries) {
    Process server({DMMAP_PROGRAM, "store", "--create", directory / "store", directory / "mnt"});
    ASSERT_TRUE(server.wait_for_output("is at", std::chrono::seconds(20))) << server.err();
    server.kill(SIGTERM);
    ASSERT_EQ(server.wait(std::chrono::seconds(20)).status, 0) << server.err();
  }
}

// Flips a bit in the file below `folder`, of that kind, that has `bytes` in it.
bool flip_a_bit_of(const std::filesystem::path& folder, const std::string& bytes, const char* extension = ".blob") {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != extension) {
      continue;
    }
    if (const auto at = bytes_of(entry.path()).find(bytes); at != std::string::npos) {
      return flip_bit(entry.path(), at);
    }
  }
  return false;
}

TEST_F(StoreTrouble, AFlippedBitCostsAPageAndIsNamed) {
  StoreServer server;
  ASSERT_TRUE(server.ready());
  server.sh(R"sh(
    for page in 0 1 2 3; do head -c 4090 /dev/urandom; printf "page0$page"; done >f
    head -c 16384 /dev/urandom >g
    cp f f2; sync f g f2)sh");
  // So that the pages are in a file of their own, not in the log.
  server.end();
  server.start();
  server.sh("head -c 300000000 /dev/urandom >filler; sync filler; rm filler");
  server.end();
  ASSERT_TRUE(flip_a_bit_of(server.database(), "page01"));
  const Outcome found = store({"check", server.database()});
  EXPECT_EQ(found.status, 1) << found.out;
  EXPECT_THAT(found.err, HasSubstr("page ")) << found.err;
  server.start();
  const std::string printed = server.sh(R"sh(
    cat g >/dev/null
    dd if=f of=/dev/null bs=4096 count=1 status=none
    dd if=f of=/dev/null bs=4096 skip=2 status=none iflag=direct
    if cat f2 >/dev/null 2>error; then echo read; fi
    cat error)sh");
  EXPECT_THAT(printed, HasSubstr("Input/output error"));
  EXPECT_THAT(server.log(), HasSubstr("page"));
  server.end();
}

TEST_F(StoreTrouble, ADamagedLogIsSaidAndGivenUpOnlyWhenAsked) {
  StoreServer server;
  ASSERT_TRUE(server.ready());
  server.sh("for file in 1 2 3 4 5; do echo text$file >$file; sync $file; done; echo more >6");
  server.end();
  ASSERT_TRUE(flip_a_bit_of(server.database(), "text3", ".log"));
  const Outcome served = store({server.database(), server.mountpoint()});
  EXPECT_EQ(served.status, 1);
  EXPECT_THAT(served.err,
              AllOf(HasSubstr(".log is damaged at byte "), HasSubstr("nothing was changed"),
                    HasSubstr("restore the store from a backup, or give up what is lost"), HasSubstr("--accept-loss")));
  const Outcome stat = store({"stat", server.database()});
  EXPECT_EQ(stat.status, 1);
  EXPECT_THAT(stat.err, HasSubstr(".log is damaged at byte "));
  for (int times = 0; times < 2; ++times) {  // it changes nothing
    const Outcome checked = store({"check", server.database()});
    EXPECT_EQ(checked.status, 1);
    EXPECT_THAT(checked.err, HasSubstr(".log is damaged at byte "));
    EXPECT_THAT(checked.out, HasSubstr(" 1 complaint")) << "what can be read is sound: " << checked.err;
  }
  StoreServer accepting(server.database(), {"--accept-loss"});
  ASSERT_TRUE(accepting.ready());
  EXPECT_THAT(accepting.log(), AllOf(HasSubstr(".log is damaged at byte "), HasSubstr("is dropped"),
                                     HasSubstr("has a copy of the log")));
  EXPECT_EQ(accepting.sh("cat 1 2; ls | wc -l; ls -d 5 6 2>/dev/null || true"), "text1\ntext2\n3\n");
  accepting.end_and_check();
}

// A disk of its own for a store, small enough to be filled.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& folder) : folder_(folder) {
    std::filesystem::create_directory(folder_);
    mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=400m") == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { unmount_below(folder_); }
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  std::filesystem::path folder_;
  bool mounted_ = false;
};

TEST_F(StoreTrouble, AFullDiskIsToldAndNothingSyncedIsLost) {
  const SmallDisk disk(directory_ / "disk");
  ASSERT_TRUE(disk.mounted());
  StoreServer server(directory_ / "disk" / "store", {"--cache=16"});
  ASSERT_TRUE(server.ready());
  server.sh("head -c 20000000 /dev/urandom >kept; sync kept; md5sum kept >../kept.md5");
  // Written until it's full: write(2) or fsync(2) says so.
  const Outcome full = run({"dd", "if=/dev/urandom", "of=" + (server.mountpoint() / "full").string(), "bs=1M",
                            "count=500", "conv=fsync", "status=none"},
                           std::chrono::seconds{60});
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
  // Stored through a mapping: msync(2) says so, and what was taken is kept all the same.
  const int file = ::open((server.mountpoint() / "kept").c_str(), O_RDWR);
  void* const mapped = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 8192);
  ASSERT_NE(mapped, MAP_FAILED);
  std::memcpy(mapped, "stored", 6);
  EXPECT_EQ(::msync(mapped, 4096, MS_SYNC), -1);
  EXPECT_EQ(errno, ENOSPC);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  EXPECT_EQ(std::string(static_cast<const char*>(mapped), 6), "stored");
  ::munmap(mapped, 4096);
  ::close(file);
  server.sh("rm full");
  // It takes RocksDB a while to give the space back.
  const bool room = wait_until(
      [&server] {
        struct statvfs status {};
        return ::statvfs(server.mountpoint().c_str(), &status) == 0 && status.f_bavail > 10000;
      },
      std::chrono::seconds{30});
  EXPECT_TRUE(room) << "the space of what was removed didn't come back";
  server.sh("head -c 10000000 /dev/urandom >more; sync more; cmp -n 8192 kept <(cat kept); tail -c +8199 kept | wc -c");
  EXPECT_EQ(server.sh("dd if=kept bs=1 skip=8192 count=6 status=none"), "stored");
  server.end_and_check();
}

}  // namespace
}  // namespace dmmap::testing
