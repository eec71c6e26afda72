#include "mount/cuse_device.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "support/mounts.h"

namespace dmmap::testing {

CuseDevice::CuseDevice(DeviceFilesystem& filesystem, const std::string& file, std::string name, SessionOptions options)
    : name_(std::move(name)) {
  lines_.listen(options);
  auto session =
      Session::device(filesystem, {.name = name_, .node = filesystem.node_of(file).value()}, std::move(options));
  if (!session) {
    throw std::runtime_error(session.error().message);
  }
  session_.emplace(std::move(*session));
  if (!wait_until([this] { return ::access(path().c_str(), F_OK) == 0; }, std::chrono::seconds{10})) {
    throw std::runtime_error(path().string() + " hasn't come");
  }
}

}  // namespace dmmap::testing
