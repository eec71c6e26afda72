// Paged regions that are granted at mmap(2), by a server that needs no privilege for them.
#include <dmmap/paged_region.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include "mount/cuse_device.h"
#include "mount/mounted.h"
#include "preload/asked_devices.h"
#include "preload/asker.h"
#include "support/process.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::uint64_t kPages = 4;

/// Page n begins with the nth letter. What is written back, it keeps.
class Letters final : public PageSource {
 public:
  void fault(PageRange wanted, FaultReply reply) override {
    const std::lock_guard lock(lock_);
    reply.ok(wanted.first * page_size(),
             std::as_bytes(std::span(text_).subspan(wanted.first * page_size(), wanted.count * page_size())));
  }
  void writeback(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) override {
    {
      const std::lock_guard lock(lock_);
      std::memcpy(text_.data() + offset, bytes.data(), bytes.size());
    }
    reply.ok();
  }
  void set(std::uint64_t offset, char value) {
    const std::lock_guard lock(lock_);
    text_[offset] = value;
  }
  [[nodiscard]] char get(std::uint64_t offset) const {
    const std::lock_guard lock(lock_);
    return text_[offset];
  }

  static std::string letters() {
    std::string text(8 * page_size(), '\0');
    for (std::uint64_t page = 0; page < kPages; ++page) {
      text[page * page_size()] = static_cast<char>('A' + page);
    }
    return text;
  }

 private:
  mutable std::mutex lock_;
  std::string text_ = letters();
};

std::shared_ptr<PagedRegion> region_of(std::uint64_t id, const std::shared_ptr<Letters>& letters) {
  return PagedRegion::create({.id = {id}, .size = kPages * page_size(), .max_size = 8 * page_size(), .name = "letters"},
                             letters)
      .value();
}

/// "paged": nothing at open, and the one region at each mmap.
class PagedDevice final : public Stream {
 public:
  PagedDevice(AskedDevices& devices, std::shared_ptr<PagedRegion> region, std::shared_ptr<Letters> letters)
      : devices_(devices), region_(std::move(region)), letters_(std::move(letters)) {}

  Result<Grant> map(const MapRequest& request) override {
    if (request.moment == MapMoment::open) {
      return fail(ENODEV, "not yet");
    }
    devices_.note("map paged");
    Grant grant;
    grant.region = region_;
    grant.offset = request.offset;
    return grant;
  }
  void unmapped(const MapRequest& /*request*/, const Grant& /*grant*/) override { devices_.note("unmapped paged"); }
  void fsync(const FsyncRequest& /*request*/, Reply<Done> reply) override {
    devices_.note("fsync paged");
    reply.ok({});
  }
  void write(const WriteRequest& request, Reply<Written> reply) override {
    const std::string word(reinterpret_cast<const char*>(request.data.data()), request.data.size());
    devices_.note(word);
    if (word == "write") {
      EXPECT_TRUE(region_->write(100, std::as_bytes(std::span("x", 1))));
    } else if (word == "unmap") {
      EXPECT_TRUE(region_->unmap({0, 1}));
      letters_->set(0, '!');
    }
    reply.ok({static_cast<std::uint32_t>(request.data.size())});
  }

 private:
  AskedDevices& devices_;
  const std::shared_ptr<PagedRegion> region_;
  const std::shared_ptr<Letters> letters_;
};

struct Way {
  Asker asker;
  bool writeback_cache = false;
  bool device = false;  ///< character devices by CUSE, not files of a mount
};

class ByMmapPagedTest : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    devices_ = std::make_unique<AskedDevices>();
    ASSERT_TRUE(devices_->add({.name = "paged", .size = 8 * page_size(), .own_io = true}, [this](const OpenRequest&) {
      return std::make_shared<PagedDevice>(*devices_, region_, letters_);
    }));
    ASSERT_TRUE(devices_->add_file({.name = "pages"}, file_));
    if (GetParam().device) {
      return;
    }
    SessionOptions options;
    options.writeback_cache = GetParam().writeback_cache;  // which excludes passthrough: nothing can be shared
    mounted_ = std::make_unique<Mounted>(*devices_, std::move(options), Clients::elsewhere);
    DMMAP_NEEDS_ASKER(GetParam().asker, mounted_->session().connection());
  }
  /// The client finds `device` in a folder.
  void serve(const std::string& device) {
    if (!GetParam().device) {
      return;
    }
    DMMAP_NEEDS_CUSE();
    cuse_ = std::make_unique<CuseDevice>(*devices_, device, device);
    DMMAP_NEEDS_ASKER(GetParam().asker, cuse_->session().connection());
  }
  void expect_success(const std::string& scenario) {
    const std::string folder = mounted_ ? mounted_->path().string() : "/dev";
    const auto client = run(asked_by(GetParam().asker, DMMAP_PROGRAM, {DMMAP_CLIENT, scenario, folder}), kPatience);
    EXPECT_EQ(client.status, 0) << client.err << (mounted_ ? mounted_->log() + mounted_->trace() : cuse_->log());
  }

  const std::shared_ptr<Letters> letters_ = std::make_shared<Letters>();
  const std::shared_ptr<PagedRegion> region_ = region_of(71, letters_);
  const std::shared_ptr<PagedRegion> file_ = region_of(72, std::make_shared<Letters>());
  std::unique_ptr<AskedDevices> devices_;
  std::unique_ptr<Mounted> mounted_;
  std::unique_ptr<CuseDevice> cuse_;
};

TEST_P(ByMmapPagedTest, PagesAreSuppliedTakenBackAndTakenAway) {
  ASSERT_NO_FATAL_FAILURE(serve("paged"));
  if (IsSkipped()) {
    return;
  }
  expect_success("paged");
  EXPECT_TRUE(devices_->wait_for("unmapped paged", 3));
  EXPECT_LT(devices_->place("unmap"), devices_->place("unmapped paged"));
  EXPECT_GE(devices_->place("fsync paged"), 0) << "by the handle that was asked about";
  EXPECT_LT(devices_->place("fsync paged"), devices_->place("synced"));
  EXPECT_EQ(letters_->get(60), 6);
  EXPECT_EQ(letters_->get(3 * page_size()), 'd');
  EXPECT_GE(region_->counters().faults, 2U);
  EXPECT_TRUE(devices_->wait_until_all_ended());
}

TEST_P(ByMmapPagedTest, AFileIsTheSameByGrantAndByRead) {
  ASSERT_NO_FATAL_FAILURE(serve("pages"));
  if (IsSkipped()) {
    return;
  }
  expect_success(GetParam().device ? "paged_device" : "paged_file");
}

const auto kNameOfWay = [](const auto& way) {
  return way.param.device ? "Device" : (way.param.writeback_cache ? "WritebackCache" : "WriteThrough");
};
INSTANTIATE_TEST_SUITE_P(Program, ByMmapPagedTest,
                         ::testing::Values(Way{.asker = Asker::program},
                                           Way{.asker = Asker::program, .writeback_cache = true}),
                         kNameOfWay);
INSTANTIATE_TEST_SUITE_P(Kernel, ByMmapPagedTest,
                         ::testing::Values(Way{.asker = Asker::kernel},
                                           Way{.asker = Asker::kernel, .writeback_cache = true},
                                           Way{.asker = Asker::kernel, .device = true}),
                         kNameOfWay);

TEST(ByMmapWithoutPassthroughTest, SharedRegionsAreRefused) {
  DMMAP_NEEDS(needs::mounting());
  AskedDevices devices;
  SessionOptions options;
  options.writeback_cache = true;
  const Mounted mounted(devices, std::move(options), Clients::elsewhere);
  const auto client = run({DMMAP_PROGRAM, "run", DMMAP_CLIENT, "paged_refused", mounted.path().string()}, kPatience);
  EXPECT_EQ(client.status, 0) << client.err;
}

}  // namespace
}  // namespace dmmap::testing
