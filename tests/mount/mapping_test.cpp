// What clients see of the regions that they are granted, on the real kernel.
#include <dmmap/device.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <string>

#include "mount/mounted.h"
#include "support/files.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

constexpr std::size_t kSize = 65536;

std::shared_ptr<SharedRegion> make_region(std::uint64_t id, std::string name = "test") {
  auto region = SharedRegion::create({.id = {id}, .size = kSize, .name = std::move(name)});
  EXPECT_TRUE(region) << region.error().message;
  return *region;
}

std::string text_at(const Region& region, std::uint64_t offset, std::size_t size) {
  std::string text(size, '?');
  EXPECT_TRUE(region.read(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

void put(Region& region, std::uint64_t offset, std::string_view text) {
  EXPECT_TRUE(region.write(offset, std::as_bytes(std::span(text))));
}

// Each open gets what the function says.
class FunctionStream : public Stream {
 public:
  explicit FunctionStream(std::function<Result<Grant>(const MapRequest&)> answer) : answer_(std::move(answer)) {}
  Result<Grant> map(const MapRequest& request) override { return answer_(request); }

 private:
  std::function<Result<Grant>(const MapRequest&)> answer_;
};

class MappingTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::mounting()); }

  void add(const std::string& name, const std::function<Result<Grant>(const MapRequest&)>& answer,
           std::uint32_t mode = 0666) {
    ASSERT_TRUE(devices_.add({.name = name, .mode = mode, .size = kSize},
                             [answer](const OpenRequest&) { return std::make_shared<FunctionStream>(answer); }));
  }
  void add_shared(const std::string& name, const std::shared_ptr<Region>& region) {
    add(name, [region](const MapRequest&) { return Grant{region}; });
  }
  void add_private(const std::string& name) {
    add(name, [this](const MapRequest&) -> Result<Grant> {
      last_ = make_region(next_id_++);
      return Grant{last_};
    });
  }

  DeviceFilesystem devices_;
  std::atomic<std::uint64_t> next_id_{100};
  std::shared_ptr<SharedRegion> last_;
};

TEST_F(MappingTest, AStoreByEitherSideIsSeenByTheOtherAtOnce) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  add_shared("a", region);
  const Mounted mount(devices_);
  const UniqueFd fd(open_file(mount / "a", O_RDWR));
  const ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok()) << std::strerror(map.error());
  map.bytes()[5000] = 'x';
  EXPECT_EQ(text_at(*region, 5000, 1), "x");
  put(*region, 9000, "server");
  EXPECT_EQ(map.bytes()[9000], 's');
  EXPECT_EQ(map.bytes()[9005], 'r');
}

TEST_F(MappingTest, ReadAndWriteAndMappingsAreTheSameBytes) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  add_shared("a", region);
  const Mounted mount(devices_);
  const UniqueFd fd(open_file(mount / "a", O_RDWR));
  const ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  ASSERT_EQ(::pwrite(fd.get(), "hello", 5, 4094), 5);
  EXPECT_EQ(map.bytes()[4094], 'h');
  EXPECT_EQ(map.bytes()[4098], 'o');
  map.bytes()[4095] = 'E';
  std::array<char, 6> back{};
  ASSERT_EQ(::pread(fd.get(), back.data(), 5, 4094), 5);
  EXPECT_STREQ(back.data(), "hEllo");
  // At the end: short, then nothing; past it: no space.
  EXPECT_EQ(::pread(fd.get(), back.data(), 5, kSize - 2), 2);
  EXPECT_EQ(::pread(fd.get(), back.data(), 5, kSize), 0);
  EXPECT_EQ(::pwrite(fd.get(), "12345", 5, kSize - 2), 2);
  EXPECT_EQ(::pwrite(fd.get(), "12345", 5, kSize), -1);
  EXPECT_EQ(errno, ENOSPC);
}

TEST_F(MappingTest, TheServerDecidesWhoSharesWhat) {
  DMMAP_NEEDS(needs::passthrough());
  const auto one = make_region(1);
  add_shared("a", one);
  add_shared("b", one);
  add_private("own");
  const Mounted mount(devices_);
  const UniqueFd a(open_file(mount / "a", O_RDWR));
  const UniqueFd b(open_file(mount / "b", O_RDWR));
  const ClientMap map_a(a.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  const ClientMap map_b(b.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map_a.ok() && map_b.ok());
  map_a.bytes()[0] = 7;
  EXPECT_EQ(map_b.bytes()[0], 7);

  const UniqueFd own1(open_file(mount / "own", O_RDWR));
  const UniqueFd own2(open_file(mount / "own", O_RDWR));
  const ClientMap map1(own1.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  const ClientMap map2(own2.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map1.ok() && map2.ok());
  map1.bytes()[0] = 1;
  map2.bytes()[0] = 2;
  EXPECT_EQ(map1.bytes()[0], 1);
  EXPECT_EQ(map2.bytes()[0], 2);
  struct stat first {};
  struct stat second {};
  ASSERT_EQ(::fstat(own1.get(), &first), 0);
  ASSERT_EQ(::fstat(own2.get(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino) << "one file, whatever its inodes are";
}

TEST_F(MappingTest, ARefusedMapLetsTheOpenSucceed) {
  DMMAP_NEEDS(needs::passthrough());
  add("none", [](const MapRequest&) -> Result<Grant> { return fail(EPERM, "not this one"); });
  const Mounted mount(devices_);
  const UniqueFd fd(open_file(mount / "none", O_RDWR));
  ASSERT_GE(fd.get(), 0);
  const ClientMap shared(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  EXPECT_EQ(shared.error(), ENODEV);
  // MAP_PRIVATE isn't the kernel's to refuse here: its touch is SIGBUS.
  const ClientMap copy(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(in_child([&] {
              ::signal(SIGBUS, SIG_DFL);
              return static_cast<int>(copy.bytes()[0]);
            }),
            -SIGBUS);
}

TEST_F(MappingTest, ReadOnlyIsByRefusingToOpenForWriting) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  put(*region, 0, "read me");
  ASSERT_TRUE(
      devices_.add({.name = "ro", .size = kSize}, [&](const OpenRequest& request) -> Result<std::shared_ptr<Stream>> {
        if ((request.flags & O_ACCMODE) != O_RDONLY) {
          return fail(EACCES, "for reading only");
        }
        return std::make_shared<FunctionStream>([&](const MapRequest& question) -> Result<Grant> {
          EXPECT_FALSE(question.write);
          EXPECT_EQ(question.moment, MapMoment::open);
          return Grant{region};
        });
      }));
  const Mounted mount(devices_);
  EXPECT_EQ(open_file(mount / "ro", O_RDWR), -EACCES);
  const UniqueFd fd(open_file(mount / "ro", O_RDONLY));
  const ClientMap writable(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  EXPECT_EQ(writable.error(), EACCES);
  const ClientMap map(fd.get(), kSize, PROT_READ, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map.bytes()[5], 'm');
  EXPECT_EQ(::mprotect(const_cast<unsigned char*>(map.bytes()), kSize, PROT_READ | PROT_WRITE), -1);  // NOLINT
  EXPECT_EQ(errno, EACCES);
}

TEST_F(MappingTest, DiscardedPagesAreZerosToAllWhoMapThem) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  add_shared("a", region);
  const Mounted mount(devices_);
  const UniqueFd fd(open_file(mount / "a", O_RDWR));
  const ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  std::memset(const_cast<unsigned char*>(map.bytes()), 'x', kSize);  // NOLINT(*-const-cast)
  const std::uint64_t before = region->resident_bytes();
  ASSERT_TRUE(region->discard({1, 2}));
  EXPECT_EQ(map.bytes()[page_size() - 1], 'x');
  EXPECT_EQ(map.bytes()[page_size()], 0);
  EXPECT_EQ(map.bytes()[3 * page_size() - 1], 0);
  EXPECT_EQ(map.bytes()[3 * page_size()], 'x');
  ASSERT_TRUE(region->discard({0, kSize / page_size()}));
  EXPECT_LT(region->resident_bytes(), before);
  EXPECT_EQ(region->discard({0, kSize / page_size() + 1}).error().code, ERANGE);
  EXPECT_EQ(region->discard({~0ULL, 2}).error().code, ERANGE);
}

TEST_F(MappingTest, RevokedPagesAreSigbusToClientsAndGoOnForTheServer) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  add_shared("a", region);
  const Mounted mount(devices_);
  const UniqueFd fd(open_file(mount / "a", O_RDWR));
  const ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  map.bytes()[6000] = 'k';
  const std::span<std::byte> raw = region->bytes();
  ASSERT_TRUE(region->revoke());
  ASSERT_TRUE(region->revoke()) << "twice is harmless";
  EXPECT_EQ(in_child([&] {
              ::signal(SIGBUS, SIG_DFL);
              return static_cast<int>(map.bytes()[6000]);
            }),
            -SIGBUS);
  EXPECT_EQ(text_at(*region, 6000, 1), "k");
  EXPECT_EQ(static_cast<char>(raw[6000]), 'k') << "the server's address stays good";
  put(*region, 6000, "w");
  EXPECT_EQ(text_at(*region, 6000, 1), "w");
  ASSERT_TRUE(region->discard({0, 16}));
  // A mapping made later through the open handle gets the same; a new open is refused.
  const ClientMap later(fd.get(), kSize, PROT_READ, MAP_SHARED);
  if (later.ok()) {
    EXPECT_EQ(in_child([&] {
                ::signal(SIGBUS, SIG_DFL);
                return static_cast<int>(later.bytes()[0]);
              }),
              -SIGBUS);
  }
  EXPECT_EQ(open_file(mount / "a", O_RDWR), -ESTALE);
}

TEST_F(MappingTest, ClientsCannotReachTheMemoryByOtherMeans) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  add_shared("a", region);
  const Mounted mount(devices_);
  const UniqueFd fd(open_file(mount / "a", O_RDWR));
  EXPECT_EQ(::ftruncate(fd.get(), 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(::fallocate(fd.get(), 0, 0, 4096), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  const UniqueFd truncating(open_file(mount / "a", O_RDWR | O_TRUNC));
  EXPECT_GE(truncating.get(), 0) << "programs open devices with O_TRUNC";
  EXPECT_EQ(region->size(), kSize);
}

TEST_F(MappingTest, ASecondOpenOfOneInodeSharesOrIsBusy) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  add_shared("shared", region);
  add_private("own");
  const Mounted mount(devices_);
  const UniqueFd shared(open_file(mount / "shared", O_RDWR));
  const std::string again = "/proc/self/fd/" + std::to_string(shared.get());
  const UniqueFd second(open_file(again, O_RDWR));
  ASSERT_GE(second.get(), 0) << std::strerror(-second.get());
  const ClientMap map(second.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  map.bytes()[0] = 9;
  EXPECT_EQ(static_cast<unsigned char>(text_at(*region, 0, 1)[0]), 9);

  UniqueFd own(open_file(mount / "own", O_RDWR));
  const std::string own_again = "/proc/self/fd/" + std::to_string(own.get());
  EXPECT_EQ(open_file(own_again, O_RDWR), -EBUSY);
  EXPECT_EQ(open_file(own_again, O_RDONLY), -EBUSY);
  const UniqueFd writer(open_file(own_again, O_WRONLY));
  EXPECT_GE(writer.get(), 0) << "it can't be mapped, so it's in nobody's way: " << std::strerror(-writer.get());
  // By an O_PATH descriptor, when the first open is over: a ring again.
  const UniqueFd path(open_file(mount / "own", O_PATH));
  const std::string by_path = "/proc/self/fd/" + std::to_string(path.get());
  const UniqueFd third(open_file(by_path, O_RDWR));
  EXPECT_GE(third.get(), 0);
  EXPECT_EQ(open_file(by_path, O_RDWR), -EBUSY);
}

TEST_F(MappingTest, OneOfManyOpensOfOneInodeMayCloseFirst) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1);
  add_shared("shared", region);
  const Mounted mount(devices_);
  UniqueFd first(open_file(mount / "shared", O_RDWR));
  const std::string again = "/proc/self/fd/" + std::to_string(first.get());
  const UniqueFd second(open_file(again, O_RDWR));
  first.reset();
  const UniqueFd third(open_file("/proc/self/fd/" + std::to_string(second.get()), O_RDWR));
  ASSERT_GE(third.get(), 0) << std::strerror(-third.get());
  const ClientMap map(third.get(), kSize, PROT_READ, MAP_SHARED);
  EXPECT_TRUE(map.ok());
}

TEST_F(MappingTest, MapsShowTheMountsPath) {
  DMMAP_NEEDS(needs::passthrough());
  const auto region = make_region(1, "my-region");
  add_shared("a", region);
  const Mounted mount(devices_);
  const UniqueFd fd(open_file(mount / "a", O_RDWR));
  const ClientMap map(fd.get(), kSize, PROT_READ, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  const std::string text = bytes_of("/proc/self/maps");
  EXPECT_NE(text.find((mount / "a").string()), std::string::npos) << "the client's mapping has the mount's path";
  EXPECT_NE(text.find("memfd:my-region"), std::string::npos) << "the server's has the region's name";
}

TEST_F(MappingTest, PermissionsHoldAsUsersOfFuseKnowThem) {
  const auto region = make_region(1);
  add(
      "secret", [region](const MapRequest&) { return Grant{region}; }, 0600);
  add_shared("open", region);
  SessionOptions options;
  options.mount.allow_other = true;
  const Mounted mount(devices_, std::move(options));
  const auto as_nobody = [&](const std::string& name) {
    return in_child([&] {
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
        return 200;
      }
      return -std::min(0, open_file(mount / name, O_RDWR));
    });
  };
  EXPECT_EQ(as_nobody("secret"), EACCES);
  EXPECT_EQ(as_nobody("open"), 0);
  ASSERT_EQ(::chmod((mount / "open").c_str(), 0600), 0);
  EXPECT_EQ(as_nobody("open"), EACCES);
  ASSERT_EQ(::chown((mount / "open").c_str(), 65534, 65534), 0);
  EXPECT_EQ(as_nobody("open"), 0);
}

TEST_F(MappingTest, WithoutAllowOtherOthersStayOut) {
  add_shared("a", make_region(1));
  const Mounted mount(devices_);
  EXPECT_EQ(in_child([&] { return ::setuid(65534) != 0 ? 200 : -std::min(0, open_file(mount / "a", O_RDONLY)); }),
            EACCES);
}

}  // namespace
}  // namespace dmmap::testing
