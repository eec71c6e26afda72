// SoundFilesystem: the directory that has `dsp`, each open of which is a stream of its own.
//
// Promises: any number of programs at once, each with a ring of its own, which is a SharedRegion that only the calls of
// Region touch. Thread safety: as DeviceFilesystem.
#pragma once

#include <dmmap/device.h>
#include <dmmap/log.h>

#include <atomic>
#include <memory>
#include <string>

#include "servers/sound/dsp_stream.h"
#include "servers/sound/engine.h"

namespace dmmap::sound {

/// The most that a ring can have, in bytes.
inline constexpr std::uint64_t kRegionBytes = std::uint64_t{1} << 20;

class SoundFilesystem final : public DeviceFilesystem {
 public:
  /// `clock` and `engine` must outlive it.
  SoundFilesystem(const Clock& clock, Engine& engine, LogSink log);

  void mounted(Connection& connection) override;
  [[nodiscard]] std::string ioctl_name(std::uint32_t command) const override;

 private:
  Result<std::shared_ptr<Stream>> open_dsp(const OpenRequest& request);

  const Clock& clock_;
  Engine& engine_;
  const LogSink log_;
  std::atomic<bool> passthrough_{false};
  std::atomic<std::uint64_t> next_stream_{1};
};

}  // namespace dmmap::sound
