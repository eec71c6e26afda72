#include "servers/sound/sinks/sink.h"

#include <fmt/format.h>

#include <cerrno>

#include "servers/sound/sinks/wav_sink.h"

namespace dmmap::sound {

Result<SinkChoice> parse_sink(std::string_view spec) {
  const std::size_t colon = spec.find(':');
  const std::string_view kind = spec.substr(0, colon);
  const bool named = colon != std::string_view::npos;
  const std::string name(named ? spec.substr(colon + 1) : std::string_view());
  if (spec == "null") {
    return SinkChoice{};
  }
  if (kind == "wav" && !name.empty()) {
    return SinkChoice{SinkChoice::Kind::wav, name};
  }
  return fail(EINVAL, fmt::format("there is no sink '{}'; say wav:FILE or null", spec));
}

Result<std::unique_ptr<Sink>> open_sink(const SinkChoice& choice) {
  if (choice.kind == SinkChoice::Kind::null) {
    return std::make_unique<NullSink>();
  }
  auto wav = WavSink::create(choice.name);
  if (!wav) {
    return tl::unexpected(wav.error());
  }
  return std::move(*wav);
}

}  // namespace dmmap::sound
