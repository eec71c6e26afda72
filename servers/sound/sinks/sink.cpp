#include "servers/sound/sinks/sink.h"

#include <fmt/format.h>

#include <cerrno>

#include "servers/sound/alsa/alsa_output.h"
#include "servers/sound/live/device_spec.h"
#include "servers/sound/live/live_sink.h"
#include "servers/sound/pulse/pulse_output.h"
#include "servers/sound/sinks/wav_sink.h"

namespace dmmap::sound {

Result<SinkChoice> parse_sink(std::string_view spec) {
  using Kind = SinkChoice::Kind;
  if (spec == "null") {
    return SinkChoice{};
  }
  if (const auto file = name_in(spec, "wav")) {
    return SinkChoice{Kind::wav, *file};
  }
  if (const auto name = name_in(spec, "pulse", "")) {
    return SinkChoice{Kind::pulse, *name};
  }
  if (const auto name = name_in(spec, "alsa", "default")) {
    return SinkChoice{Kind::alsa, *name};
  }
  return fail(EINVAL,
              fmt::format("there is no sink '{}'; say wav:FILE, pulse, pulse:SINK, alsa, alsa:PCM or null", spec));
}

Result<std::unique_ptr<Sink>> open_sink(const SinkChoice& choice, const LogSink& log) {
  using Kind = SinkChoice::Kind;
  switch (choice.kind) {
    case Kind::pulse:
      return std::make_unique<LiveSink>(choice.name.empty() ? "sink pulse" : "sink pulse:" + choice.name,
                                        std::make_unique<PulseOutput>(choice.name), log);
    case Kind::alsa:
      return std::make_unique<LiveSink>("sink alsa:" + choice.name, std::make_unique<AlsaOutput>(choice.name), log);
    case Kind::null:
      return std::make_unique<NullSink>();
    case Kind::wav:
      break;
  }
  auto wav = WavSink::create(choice.name);
  if (!wav) {
    return tl::unexpected(wav.error());
  }
  return std::move(*wav);
}

}  // namespace dmmap::sound
