// PagedTest: one paged file, `f`, on a mount, whose source does what the test says.
#pragma once

#include <dmmap/device.h>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mount/mounted.h"
#include "mount/played_source.h"
#include "mount/remote_client.h"
#include "mount/time_limit.h"
#include "support/requirement.h"

namespace dmmap::testing {

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kPages = 64;
inline constexpr std::size_t kSize = kPages * kPage;
inline constexpr std::chrono::seconds kPatience{10};

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class PagedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    make(kSize, kSize);
  }

  void make(std::uint64_t size, std::uint64_t max_size) {
    source_ = std::make_shared<PlayedSource>(std::max(size, max_size));
    region_ = *PagedRegion::create({.id = {1}, .size = size, .max_size = max_size, .name = "f"}, source_);
  }

  void mount(SessionOptions options = {}) {
    ASSERT_TRUE(files_.add_file({.name = "f", .mode = 0666}, region_));
    if (!options.max_readahead) {
      options.max_readahead = 0;  // so that a touch is one page's fault
    }
    mount_.emplace(files_, std::move(options));
    limit_.emplace(std::chrono::seconds(60), mount_->path(), [region = region_] { return region->describe(); });
  }
  [[nodiscard]] RemoteClient client(std::size_t size = kSize) const { return RemoteClient(*mount_ / "f", size); }

  [[nodiscard]] std::string read(std::uint64_t offset, std::size_t size) const {
    std::string text(size, '?');
    const auto done = region_->read(offset, std::as_writable_bytes(std::span(text.data(), text.size())));
    EXPECT_TRUE(done) << done.error().message;
    return text;
  }
  Result<void> write(std::uint64_t offset, std::string_view text) { return region_->write(offset, as_bytes(text)); }

  std::shared_ptr<PlayedSource> source_;
  std::shared_ptr<PagedRegion> region_;
  DeviceFilesystem files_;
  std::optional<Mounted> mount_;
  std::optional<TimeLimit> limit_;
};

}  // namespace dmmap::testing
