// PagedFixture: one paged file, `f`, on a mount or as a device, whose source does what the test says.
#pragma once

#include <dmmap/device.h>

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mount/place.h"
#include "mount/played_source.h"
#include "mount/remote_client.h"
#include "mount/time_limit.h"

namespace dmmap::testing {

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kPages = 64;
inline constexpr std::size_t kSize = kPages * kPage;
inline constexpr std::chrono::seconds kPatience{10};

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class PagedFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS_PLACE(place());
    make(kSize, kSize);
  }
  [[nodiscard]] virtual Place place() const { return Place::file; }

  void make(std::uint64_t size, std::uint64_t max_size) {
    source_ = std::make_shared<PlayedSource>(std::max(size, max_size));
    region_ = *PagedRegion::create({.id = {1}, .size = size, .max_size = max_size, .name = "f"}, source_);
  }

  void mount(SessionOptions options = {}) {
    ASSERT_TRUE(files_.add_file({.name = "f", .mode = 0666}, region_));
    serve(std::move(options));
    limit_.emplace(std::chrono::seconds(60), mount_ ? mount_->path() : path(),
                   [region = region_] { return region->describe(); });
  }
  void serve(SessionOptions options) {
    if (!options.max_readahead) {
      options.max_readahead = 0;  // so that a touch is one page's fault
    }
    if (place() == Place::device) {
      device_.emplace(files_, "f", "dmmap-test-paged", std::move(options));
    } else {
      mount_.emplace(files_, std::move(options), place() == Place::asked ? Clients::elsewhere : Clients::here);
    }
  }
  /// The session's end.
  void end() { mount_ ? mount_->end() : device_->end(); }
  [[nodiscard]] std::filesystem::path path() const { return mount_ ? *mount_ / "f" : device_->path(); }
  [[nodiscard]] Session& session() { return mount_ ? mount_->session() : device_->session(); }
  [[nodiscard]] std::string log() const { return mount_ ? mount_->log() : device_->log(); }
  [[nodiscard]] std::string trace() const { return mount_ ? mount_->trace() : device_->trace(); }

  [[nodiscard]] RemoteClient client(std::size_t size = kSize) const { return RemoteClient(path(), size); }
  /// fsync(2), or what a device has of that.
  RemoteClient::Outcome sync(RemoteClient& client) const {
    return place() == Place::device ? client.msync() : client.fsync();
  }
  /// pwrite(2), or what a device has of that.
  RemoteClient::Outcome put(RemoteClient& client, std::uint64_t offset, std::string_view bytes) const {
    return place() == Place::device ? client.store(offset, bytes) : client.pwrite(offset, bytes);
  }

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
  std::optional<CuseDevice> device_;
  std::optional<TimeLimit> limit_;
};

/// Of files, by all that a file has.
class PagedTest : public PagedFixture, public ::testing::WithParamInterface<Place> {
 protected:
  [[nodiscard]] Place place() const override { return GetParam(); }
};
/// Of whatever can be mapped, by mappings.
class PagedAnywhereTest : public PagedTest {};

}  // namespace dmmap::testing
