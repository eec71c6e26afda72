// CardStatus: what the sound device does at one moment, as status files, metrics and the command line tell it; and
// CardControl, what is asked for it and told to change it.
//
// Promises: plain values. Thread safety: CardControl's calls, from any thread.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "servers/sound/audio/format.h"
#include "servers/sound/mix/levels.h"

namespace dmmap::sound {

/// One direction of a stream.
struct HalfStatus {
  AudioFormat format;
  std::string path;          ///< "mmap"; "write" for playback, "read" for recording
  bool running = false;      ///< its clock goes
  std::uint64_t frames = 0;  ///< played or recorded since it was opened
  double seconds = 0;        ///< the same, as time
  std::uint64_t ring = 0;    ///< bytes
  std::uint64_t fill = 0;    ///< bytes of the ring that wait to be played, or to be read
  std::uint64_t xruns = 0;   ///< underruns of playback, overruns of recording
  std::uint64_t slips = 0;   ///< times that the server was late, and the clock stood still for it
  Level level;
  bool operator==(const HalfStatus&) const = default;
};

/// One open of a device.
struct StreamStatus {
  std::uint64_t number = 0;  ///< what commands call it by; never given twice by one server
  std::string program;       ///< its comm (proc(5)): any bytes
  std::uint32_t pid = 0;     ///< 0 from another pid namespace
  std::string device;        ///< "dsp"
  std::optional<HalfStatus> playback;
  std::optional<HalfStatus> recording;
  bool operator==(const StreamStatus&) const = default;
};

/// Of all streams since the server began, those that are closed and those that are open.
struct CardTotals {
  std::uint64_t streams = 0;
  std::uint64_t underruns = 0;
  std::uint64_t overruns = 0;
  std::uint64_t slips = 0;
  bool operator==(const CardTotals&) const = default;
};

struct CardStatus {
  Level master;
  Level pcm;
  Level recording;
  CardTotals totals;
  std::vector<StreamStatus> streams;
  bool operator==(const CardStatus&) const = default;
};

/// Which level is meant: one of the card's, or a stream's.
struct StreamNumber {
  std::uint64_t value = 0;
  bool operator==(const StreamNumber&) const = default;
};
using LevelTarget = std::variant<Control, StreamNumber>;

class CardControl {
 public:
  CardControl() = default;
  CardControl(const CardControl&) = delete;
  CardControl& operator=(const CardControl&) = delete;
  virtual ~CardControl() = default;

  [[nodiscard]] virtual CardStatus status() const = 0;
  /// Percent, 0 to 100. Muting stays as it is. Errors: ESRCH for a stream that isn't there.
  virtual Result<void> set_level(const LevelTarget& target, unsigned left, unsigned right) = 0;
  /// Errors: ESRCH for a stream that isn't there.
  virtual Result<void> set_muted(const LevelTarget& target, bool muted) = 0;
};

}  // namespace dmmap::sound
