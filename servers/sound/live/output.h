// Output: something outside of this process that plays: a sound server's stream, a card.
//
// Promises: only open() waits, and that for a few seconds at the most, unless the system's own library does. After an
// error, and before open(), only close() and open() are called. Thread safety: one thread at a time.
#pragma once

#include <dmmap/error.h>

#include <chrono>
#include <cstddef>
#include <span>

#include "servers/sound/sinks/sink.h"

namespace dmmap::sound {

class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  virtual ~Output() = default;

  /// What it takes, which may be other than `wanted`. Errors: why it can't be had now.
  [[nodiscard]] virtual Result<SinkFormat> open(const SinkFormat& wanted) = 0;
  /// How many of `samples` it took, whole frames. Called with none, too, so that it can do what else is to be done.
  /// Errors: it has gone.
  [[nodiscard]] virtual Result<std::size_t> write(std::span<const float> samples) = 0;
  /// Nothing more comes for now: what it holds is to be heard, however little that is.
  virtual void play_out() = 0;
  /// After play_out(): whether all is heard.
  [[nodiscard]] virtual bool played_out() = 0;
  virtual void close() = 0;
};

/// How much an output or an input has in hand, so that a late wake-up isn't heard.
inline constexpr std::chrono::milliseconds kCushion{60};

}  // namespace dmmap::sound
