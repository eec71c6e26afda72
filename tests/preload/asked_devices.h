// AskedDevices: devices whose every map request is noted, with what became of what was granted.
//
//   duplex   writable mappings share a region that begins with "playback", read-only ones one with "capture"
//   fresh    each mapping has a region of its own, "fresh one", of 1 MiB at most, which may not grow
//   alone    a region that isn't inherited over fork, "alone"
//   mosaic   four pages: of one region, twice of another, of the first: "a0", "b1", "b1", "a2"
//   odd      grants what set_odd() says
//   file     a file that shows one region to all
//   marks    nothing to map
//   device   a region, and is shown as the character device 14:3
//
// A write(2) to any of them puts its text among what is noted. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/device.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace dmmap::testing {

class AskedDevices : public DeviceFilesystem {
 public:
  AskedDevices();

  /// What has happened, in order: "map duplex", "refuse duplex", "unmapped duplex", "released duplex", and what was
  /// written.
  [[nodiscard]] std::vector<std::string> events() const;
  [[nodiscard]] long count(const std::string& event) const;
  /// The first place of the event among events(), or -1.
  [[nodiscard]] long place(const std::string& event) const;
  /// Waits for what the kernel tells later than the client's call returns.
  [[nodiscard]] bool wait_for(const std::string& event, long count = 1) const;
  /// Every grant made at mmap is over, and every stream released.
  [[nodiscard]] bool wait_until_all_ended() const;
  [[nodiscard]] std::vector<MapRequest> requests() const;

  void note(const std::string& event);

  /// What "odd" grants from now on.
  void set_odd(std::function<Result<Grant>(const MapRequest&)> odd);

 private:
  class Asked;
  void add_device(const std::string& name, std::function<Result<Grant>(const MapRequest&)> map,
                  std::optional<DeviceNumber> number = {});

  mutable std::mutex lock_;
  std::vector<std::string> events_;
  std::vector<MapRequest> requests_;
  std::function<Result<Grant>(const MapRequest&)> odd_;
};

/// A region of this size, that begins with this text. Errors: those of SharedRegion::create.
[[nodiscard]] Result<std::shared_ptr<SharedRegion>> make_region(const std::string& text, std::uint64_t size);
/// The same, which can't fail.
[[nodiscard]] std::shared_ptr<SharedRegion> region_with(const std::string& text, std::uint64_t size);

}  // namespace dmmap::testing
