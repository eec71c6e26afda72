// CameraFilesystem: the directory that has `video0` and on, each open of which captures by itself, or puts pictures in,
// and `status`.
//
// Promises: any number of programs at once, each with formats and buffers of its own, whose kind is chosen when it's
// mounted. Thread safety: as DeviceFilesystem; buffers() when it's mounted.
#pragma once

#include <dmmap/device.h>
#include <dmmap/log.h>
#include <dmmap/thread_safety.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "servers/camera/control/status.h"
#include "servers/camera/device/card.h"
#include "servers/camera/device/video_stream.h"
#include "servers/device/map_choice.h"

namespace dmmap::camera {

/// How a camera speaks of what programs map.
inline constexpr device::MapWords kBufferWords{"--buffers", "buffers", "programs can read, but not mmap"};

class CameraFilesystem final : public DeviceFilesystem {
 public:
  /// The cards outlive it.
  CameraFilesystem(std::vector<Card*> cards, device::MapWish wish, LogSink log);

  /// What was chosen. Errors: those of choose_map(); programs can then map nothing.
  [[nodiscard]] const Result<device::MapChoice>& buffers() const { return buffers_; }

  [[nodiscard]] CameraStatus status() const DMMAP_EXCLUDES(lock_);

  void mounted(Connection& connection) override;
  [[nodiscard]] std::string ioctl_name(std::uint32_t command) const override;

 private:
  void add_card(Card& card, unsigned minor);
  Result<std::shared_ptr<Stream>> open_card(const OpenRequest& request, Card& card) DMMAP_EXCLUDES(lock_);

  const std::vector<Card*> cards_;
  const device::MapWish wish_;
  const LogSink log_;
  Result<device::MapChoice> buffers_;  // set before anything is opened
  std::atomic<std::uint64_t> next_stream_{1};

  mutable Mutex lock_;
  mutable std::map<std::uint64_t, std::weak_ptr<VideoStream>> streams_ DMMAP_GUARDED_BY(lock_);  // some are closed
};

}  // namespace dmmap::camera
