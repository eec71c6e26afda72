// Regions of transparent huge pages, where the system lets them be: they show the same bytes, and pages can be taken
// out.
#include <dmmap/device.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>
#include <string>

#include "mount/mounted.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSize = 4 * kHugePage;

// The system's setting, while this lives (Documentation/admin-guide/mm/transhuge.rst).
class ShmemSetting {
 public:
  explicit ShmemSetting(const std::string& wanted) {
    std::string words;
    std::getline(std::ifstream(kFile), words);
    const auto open = words.find('[');
    before_ = open == std::string::npos ? "" : words.substr(open + 1, words.find(']') - open - 1);
    set_ = !before_.empty() && set(wanted);
  }
  ShmemSetting(const ShmemSetting&) = delete;
  ShmemSetting& operator=(const ShmemSetting&) = delete;
  ~ShmemSetting() {
    if (!before_.empty()) {
      set(before_);
    }
  }
  [[nodiscard]] std::string missing() const { return set_ ? "" : std::string(kFile) + " can't be set here"; }

 private:
  static constexpr const char* kFile = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
  static bool set(const std::string& word) { return static_cast<bool>(std::ofstream(kFile) << word << std::flush); }
  std::string before_;
  bool set_ = false;
};

// What of the mappings of the region called `name` this process has by huge entries, in bytes (proc_pid_smaps(5)).
std::size_t mapped_huge(const std::string& name) {
  std::ifstream smaps("/proc/self/smaps");
  bool ours = false;
  std::size_t bytes = 0;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') < line.find(' ')) {
      ours = line.find("memfd:" + name) != std::string::npos;
    } else if (ours && line.starts_with("ShmemPmdMapped:")) {
      bytes += std::stoul(line.substr(line.find(':') + 1)) * 1024;
    }
  }
  return bytes;
}

std::shared_ptr<SharedRegion> make_region(bool huge_pages, std::string name) {
  auto region = SharedRegion::create({.id = {1}, .size = kSize, .name = std::move(name), .huge_pages = huge_pages});
  EXPECT_TRUE(region) << region.error().message;
  return *region;
}

TEST(HugePagesTest, TheyShowTheSameBytesAndSmallOnesCanBeTakenOut) {
  DMMAP_NEEDS(needs::passthrough());
  const ShmemSetting setting("advise");
  DMMAP_NEEDS(setting.missing());
  const auto region = make_region(true, "dmmap-huge");
  EXPECT_TRUE(region->huge_pages_active());
  const std::string first(kSize, 'a');
  ASSERT_TRUE(region->write(0, std::as_bytes(std::span(first))));
  EXPECT_GE(mapped_huge("dmmap-huge"), kSize - kHugePage) << "its pages are small";

  DeviceFilesystem devices;
  ASSERT_TRUE(devices.add({.name = "huge", .size = kSize},
                          [&](const OpenRequest&) { return std::make_shared<RegionStream>(region); }));
  const Mounted mount(devices);
  const UniqueFd fd(open_file(mount / "huge", O_RDWR));
  const ClientMap map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  for (std::size_t at = 0; at < kSize; at += page_size()) {
    ASSERT_EQ(map.bytes()[at], 'a') << at;
    map.bytes()[at] = 'b';
  }
  // One small page in the midst of a huge one.
  const std::size_t hole = kHugePage + 7 * page_size();
  ASSERT_TRUE(region->discard({hole / page_size(), 1}));
  EXPECT_EQ(map.bytes()[hole], 0);
  EXPECT_EQ(map.bytes()[hole - 1], 'a');
  EXPECT_EQ(map.bytes()[hole + page_size()], 'b');
  std::string seen(kSize, '?');
  ASSERT_TRUE(region->read(0, std::as_writable_bytes(std::span(seen))));
  std::string expected = first;
  for (std::size_t at = 0; at < kSize; at += page_size()) {
    expected[at] = 'b';
  }
  expected.replace(hole, page_size(), page_size(), '\0');
  EXPECT_TRUE(seen == expected);

  // Revoked, they're the server's alone.
  ASSERT_TRUE(region->revoke());
  ASSERT_TRUE(region->read(0, std::as_writable_bytes(std::span(seen))));
  EXPECT_TRUE(seen == expected);
}

// A region that can have no huge pages says so, has none, and works.
void expect_small(const std::string& setting_word, bool asks, const std::string& name) {
  const ShmemSetting setting(setting_word);
  DMMAP_NEEDS(setting.missing());
  const auto region = make_region(asks, name);
  EXPECT_FALSE(region->huge_pages_active());
  const std::string bytes(kSize, 'a');
  ASSERT_TRUE(region->write(0, std::as_bytes(std::span(bytes))));
  EXPECT_EQ(mapped_huge(name), 0U);
}

TEST(HugePagesTest, WhoDoesNotAskHasNone) {
  expect_small("advise", false, "dmmap-small");
}

TEST(HugePagesTest, WhereTheSystemForbidsThemTheRegionSaysSoAndWorks) {
  expect_small("never", true, "dmmap-never");
}

}  // namespace
}  // namespace dmmap::testing
