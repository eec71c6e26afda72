// LiveSource: an Input as a source, that may be slow, fall silent, go away and come back.
//
// Promises: none of its calls waits for the Input, but the destructor, for LivePatience::end. It's open only while
// something records. What it brings in time is recorded sample by sample, some 60 ms late; where nothing comes there's
// silence, and who falls behind by more than half a second goes on with what is newest. An Input that fails or stalls
// is closed and opened again every second, and the log says so, once when it goes and once when it's back. Thread
// safety: as Source.
#pragma once

#include <memory>
#include <string>

#include "servers/sound/live/attempts.h"
#include "servers/sound/live/input.h"
#include "servers/sound/live/leavable_thread.h"
#include "servers/sound/sources/source.h"

namespace dmmap::sound {

class LiveSource final : public Source {
 public:
  /// `name` is for the log.
  LiveSource(const std::string& name, std::unique_ptr<Input> input, const LogSink& log, LivePatience patience = {});
  ~LiveSource() override;

  /// Of the format of the recordings that there are; as `wanted`, if it's the first.
  [[nodiscard]] Result<std::unique_ptr<Recording>> begin(const SourceFormat& wanted) override;

 private:
  class Worker;
  class LiveRecording;
  LeavableThread thread_;
  std::shared_ptr<Worker> worker_;  // the thread's and the recordings', too
};

}  // namespace dmmap::sound
