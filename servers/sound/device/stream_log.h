// StreamLog: what the log says of one direction of a stream: how it runs, and what came of it.
//
// Promises: each line once; a new one when what it says has changed. Thread safety: one thread at a time.
#pragma once

#include <dmmap/log.h>

#include <string>
#include <utility>
#include <vector>

#include "servers/sound/audio/format.h"
#include "servers/sound/stream/fragments.h"
#include "servers/sound/stream/position.h"

namespace dmmap::sound {

using LogLines = std::vector<std::pair<LogLevel, std::string>>;

/// One direction of a stream, as it is now.
struct HalfState {
  AudioFormat format;
  Fragments ring;
  const char* path = "";  ///< "mmap", "write" or "read"
  bool running = false;
  StreamCounts counts;
};

class StreamLog {
 public:
  /// `who`: what all lines begin with.
  StreamLog(std::string who, bool records) : who_(std::move(who)), records_(records) {}
  /// Adds to `lines` what is new. `ended`: it won't run again.
  void note(const HalfState& state, bool ended, LogLines& lines);

 private:
  std::string who_;
  bool records_;
  std::string described_;  // the last line about what is played
  std::string path_;       // as it was when it last ran
  bool slip_noted_ = false;
  bool summed_up_ = false;
};

}  // namespace dmmap::sound
