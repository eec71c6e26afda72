#include "servers/sound/device/stream_log.h"

#include <fmt/format.h>

namespace dmmap::sound {

void StreamLog::note(const HalfState& state, bool ended, LogLines& lines) {
  if (state.counts.slips > 0 && !slip_noted_) {
    slip_noted_ = true;
    lines.emplace_back(LogLevel::warning, who_ + ": the server was late, and the stream's clock stood still");
  }
  if (state.running) {
    path_ = state.path;
    std::string line = fmt::format("{}{} {}, {}x{}, {}", who_, records_ ? " records" : "", describe(state.format),
                                   state.ring.count, state.ring.size, path_);
    if (line != described_) {
      described_ = line;
      lines.emplace_back(LogLevel::info, std::move(line));
    }
    return;
  }
  if (ended && !summed_up_) {
    summed_up_ = true;
    if (state.counts.frames > 0) {
      lines.emplace_back(LogLevel::info,
                         fmt::format("{} {} {} frames ({:.2f} s) through {}, {} {}runs, {} slips", who_,
                                     records_ ? "recorded" : "played", state.counts.frames, state.counts.seconds, path_,
                                     state.counts.xruns, records_ ? "over" : "under", state.counts.slips));
    }
  }
}

}  // namespace dmmap::sound
