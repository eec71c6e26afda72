// LiveSink: an Output as a sink, that may be slow, fall silent, go away and come back.
//
// Promises: none of its calls waits for the Output, but the destructor, which waits LivePatience::end for what isn't
// heard yet. What an Output takes in time is heard sample by sample. What it doesn't take within half a second is
// dropped, all but the newest, so that sound is never late by more than a second. An Output that fails or stalls is
// closed, opened again every second while there's something to play, and the log says so, once when it goes and once
// when it's back. With nothing to play it's closed after LivePatience::rest. Thread safety: one thread at a time.
#pragma once

#include <dmmap/log.h>

#include <memory>
#include <string>

#include "servers/sound/live/attempts.h"
#include "servers/sound/live/leavable_thread.h"
#include "servers/sound/live/output.h"
#include "servers/sound/sinks/sink.h"

namespace dmmap::sound {

class LiveSink final : public Sink {
 public:
  /// `name` is for the log.
  LiveSink(const std::string& name, std::unique_ptr<Output> output, const LogSink& log, LivePatience patience = {});
  ~LiveSink() override;

  Result<void> start(const SinkFormat& format) override;
  Result<void> write(std::span<const float> samples) override;
  Result<void> idle() override;
  Result<void> sync() override { return {}; }

 private:
  class Worker;
  LeavableThread thread_;
  std::shared_ptr<Worker> worker_;  // the thread's, too
};

}  // namespace dmmap::sound
