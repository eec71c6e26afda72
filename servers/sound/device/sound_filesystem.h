// SoundFilesystem: the directory that has `dsp`, each open of which is a stream of its own, and the same by the other
// names that programs know: `dsp1`, and `audio`, which begins as mu-law (OSS's /dev/audio, after Sun's). `mixer` sets
// how loud all of them are.
//
// Promises: any number of programs at once, each with a ring of its own, whose kind is chosen when it's mounted.
// Thread safety: as DeviceFilesystem; rings() when it's mounted.
#pragma once

#include <dmmap/device.h>
#include <dmmap/log.h>
#include <dmmap/thread_safety.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "servers/device/map_choice.h"
#include "servers/sound/control/status.h"
#include "servers/sound/device/dsp_stream.h"
#include "servers/sound/mix/engine.h"

namespace dmmap::sound {

/// How the sound device speaks of what programs map.
inline constexpr device::MapWords kRingWords{"--ring", "rings", "programs can write, but not mmap"};

/// What a SoundFilesystem works with; all but the wish and the log outlive it.
struct SoundParts {
  const Clock& clock;
  Engine& engine;
  Source* source = nullptr;  ///< null: programs can't record
  Levels& levels;
  device::MapWish rings = device::MapWish::automatic;
  LogSink log;
  std::string mountpoint;  ///< as programs are told it
};

class SoundFilesystem final : public DeviceFilesystem, public CardControl {
 public:
  explicit SoundFilesystem(SoundParts parts);

  /// What was chosen. Errors: those of choose_map(); programs can then map nothing.
  [[nodiscard]] const Result<device::MapChoice>& rings() const { return rings_; }

  [[nodiscard]] CardStatus status() const override;
  Result<void> set_level(const LevelTarget& target, unsigned left, unsigned right) override;
  Result<void> set_muted(const LevelTarget& target, bool muted) override;

  void mounted(Connection& connection) override;
  [[nodiscard]] std::string ioctl_name(std::uint32_t command) const override;

 private:
  void add_dsp(const std::string& name, std::uint32_t minor, const AudioFormat& format);
  Result<std::shared_ptr<Stream>> open_dsp(const OpenRequest& request, const std::string& name,
                                           const AudioFormat& format);
  /// Those that are open.
  [[nodiscard]] std::vector<std::shared_ptr<DspStream>> streams() const;
  std::shared_ptr<DspStream> make_stream(StreamIdentity identity, DspAbilities abilities);
  /// Calls `change` with the stream. Errors: ESRCH when it isn't open.
  template <class Change>
  Result<void> with_stream(StreamNumber number, const Change& change);
  [[nodiscard]] CardFacts card() const;
  [[nodiscard]] device::MapKind kind() const { return rings_ ? rings_->kind : device::MapKind::none; }

  const SoundParts parts_;
  Result<device::MapChoice> rings_;  // set before anything is opened
  bool asked_at_open_ = true;        // likewise
  std::atomic<std::uint64_t> next_stream_{1};

  // Of streams that are closed.
  struct Ended {
    Mutex lock;
    CardTotals totals DMMAP_GUARDED_BY(lock);
  };
  const std::shared_ptr<Ended> ended_ = std::make_shared<Ended>();  // a stream may outlive this

  mutable Mutex lock_;
  std::map<std::uint64_t, std::weak_ptr<DspStream>> streams_ DMMAP_GUARDED_BY(lock_);  // some have been closed
  mutable CardTotals told_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::sound
