// ControlCard: a card for tests of what looks at one and commands it: a status that the test sets, and levels.
//
// Thread safety: every call, from any thread.
#pragma once

#include <dmmap/thread_safety.h>

#include <cerrno>
#include <utility>

#include "servers/sound/control/status.h"

namespace dmmap::sound::testing {

/// Two streams: 3 plays, written; 7 plays and records, mapped.
[[nodiscard]] inline CardStatus two_streams() {
  CardStatus status;
  status.master = {80, 70, false};
  status.recording = {10, 20, true};
  status.totals = {9, 11, 2, 4};
  const HalfStatus written{.format = {Encoding::s16_le, 44100, 2},
                           .path = "write",
                           .running = true,
                           .frames = 88200,
                           .seconds = 2,
                           .ring = 65536,
                           .fill = 32768,
                           .xruns = 5,
                           .slips = 1,
                           .level = {}};
  HalfStatus mapped = written;
  mapped.path = "mmap";
  mapped.frames = (std::uint64_t{1} << 63) + 1;
  HalfStatus recorded = written;
  recorded.format = {Encoding::float32, 192000, 8};
  recorded.path = "mmap";
  recorded.level = {1, 2, true};
  status.streams = {{3, "mplayer", 1234, "dsp", written, std::nullopt}, {7, "full", 0, "dsp1", mapped, recorded}};
  return status;
}

class ControlCard final : public CardControl {
 public:
  explicit ControlCard(CardStatus status) : status_(std::move(status)) {}

  [[nodiscard]] CardStatus status() const override {
    const MutexLock lock(lock_);
    return status_;
  }
  Result<void> set_level(const LevelTarget& target, unsigned left, unsigned right) override {
    return change(target, [&](Level& level) {
      level.left = left;
      level.right = right;
    });
  }
  Result<void> set_muted(const LevelTarget& target, bool muted) override {
    return change(target, [&](Level& level) { level.muted = muted; });
  }

 private:
  template <class Change>
  Result<void> change(const LevelTarget& target, const Change& to) {
    const MutexLock lock(lock_);
    if (const auto* control = std::get_if<Control>(&target)) {
      to(*control == Control::master ? status_.master : *control == Control::pcm ? status_.pcm : status_.recording);
      return {};
    }
    for (StreamStatus& each : status_.streams) {
      if (each.number == std::get<StreamNumber>(target).value) {
        for (auto* half : {&each.playback, &each.recording}) {
          if (*half) {
            to((*half)->level);
          }
        }
        return {};
      }
    }
    return fail(ESRCH, "no such stream");
  }

  mutable Mutex lock_;
  CardStatus status_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::sound::testing
