#include "mount/cuse_device.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "support/mounts.h"

namespace dmmap::testing {

CuseDevice::CuseDevice(DeviceFilesystem& filesystem, const std::string& file, std::string name, SessionOptions options)
    : name_(std::move(name)) {
  options.log = [lines = lines_](LogLevel, const std::string& text) {
    const std::lock_guard lock(lines->lock);
    lines->log += text + "\n";
  };
  options.trace = [lines = lines_](const std::string& text) {
    const std::lock_guard lock(lines->lock);
    lines->trace += text + "\n";
  };
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

std::string CuseDevice::log() const {
  const std::lock_guard lock(lines_->lock);
  return lines_->log;
}

std::string CuseDevice::trace() const {
  const std::lock_guard lock(lines_->lock);
  return lines_->trace;
}

}  // namespace dmmap::testing
