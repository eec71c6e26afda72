#include "servers/camera/device/camera_filesystem.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "servers/camera/control/status_json.h"
#include "servers/device/client.h"
#include "servers/device/status_file.h"

namespace dmmap::camera {

namespace {

// Video capture devices (Documentation/admin-guide/devices.txt).
constexpr std::uint32_t kVideoMajor = 81;

}  // namespace

CameraFilesystem::CameraFilesystem(std::vector<Card*> cards, device::MapWish wish, LogSink log)
    : cards_(std::move(cards)), wish_(wish), log_(std::move(log)) {
  unsigned minor = 0;
  for (Card* const card : cards_) {
    add_card(*card, minor++);
  }
  if (const auto added = device::add_status_file(*this, [this] { return json_of(status()); }); !added) {
    log_(LogLevel::error, added.error().message);
  }
}

void CameraFilesystem::add_card(Card& card, unsigned minor) {
  const auto added = add({.name = card.file,
                          .mode = 0666,
                          .size = 2 * kBufferSpace,
                          .own_io = true,
                          .character_device = DeviceNumber{kVideoMajor, minor},
                          .seekable = false},
                         [this, &card](const OpenRequest& request) { return open_card(request, card); });
  if (!added) {
    log_(LogLevel::error, added.error().message);
  }
}

void CameraFilesystem::mounted(Connection& connection) {
  DeviceFilesystem::mounted(connection);
  buffers_ = device::choose_map(kBufferWords, wish_, connection.capabilities());
  for (Card* const card : cards_) {
    card->mmap = buffers_ && buffers_->kind != device::MapKind::none;
  }
}

std::string CameraFilesystem::ioctl_name(std::uint32_t command) const {
  return camera::ioctl_name(command);
}

Result<std::shared_ptr<Stream>> CameraFilesystem::open_card(const OpenRequest& request, Card& card) {
  const std::uint64_t number = next_stream_.fetch_add(1);
  // What is open for writing alone can't be mapped (mmap(2), EACCES).
  const bool maps = (request.flags & O_ACCMODE) != O_WRONLY && buffers_;
  auto region = device::make_region(maps ? buffers_->kind : device::MapKind::none,
                                    {.id = {number}, .size = 2 * kBufferSpace, .name = "dmmap-" + card.file});
  if (!region) {
    log_(LogLevel::error, fmt::format("{}: no memory for one that opens it: {}", card.file, region.error().message));
    return tl::unexpected(region.error());
  }
  const std::uint32_t pid = request.caller.pid;
  auto stream = std::make_shared<VideoStream>(
      StreamIdentity{number, device::program_of(pid), pid, inode_of(card.file).value_or(0), request.flags}, card,
      std::move(*region), log_);
  const MutexLock lock(lock_);
  std::erase_if(streams_, [](const auto& each) { return each.second.expired(); });
  streams_.emplace(number, stream);
  return stream;
}

CameraStatus CameraFilesystem::status() const {
  CameraStatus status;
  for (const Card* const card : cards_) {
    const About about = card->camera.about();
    const CameraCounts counts = card->camera.counts();
    status.devices.push_back({.device = card->file,
                              .card = card->name,
                              .width = about.size.width,
                              .height = about.size.height,
                              .rate = about.rate.per_second(),
                              .running = counts.running,
                              .pictures = counts.pictures,
                              .left_out = counts.left_out});
  }
  std::vector<std::shared_ptr<VideoStream>> open;
  {
    const MutexLock lock(lock_);
    for (const auto& [number, stream] : streams_) {
      if (auto it = stream.lock()) {
        open.push_back(std::move(it));
      }
    }
  }
  for (const auto& stream : open) {
    status.streams.push_back(stream->status());
  }
  return status;
}

}  // namespace dmmap::camera
