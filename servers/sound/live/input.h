// Input: something outside of this process that is recorded: a sound server's stream, a card.
//
// Promises: as Output's. Thread safety: one thread at a time.
#pragma once

#include <dmmap/error.h>

#include <vector>

#include "servers/sound/sources/source.h"

namespace dmmap::sound {

class Input {
 public:
  Input() = default;
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  virtual ~Input() = default;

  /// What it brings, which may be other than `wanted`. Errors: why it can't be had now.
  [[nodiscard]] virtual Result<SourceFormat> open(const SourceFormat& wanted) = 0;
  /// Appends what has come, whole frames. Errors: it has gone.
  [[nodiscard]] virtual Result<void> read(std::vector<float>& samples) = 0;
  virtual void close() = 0;
};

}  // namespace dmmap::sound
