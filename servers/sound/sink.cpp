#include "servers/sound/sink.h"

#include <fmt/format.h>

#include <cerrno>

#include "servers/sound/wav_sink.h"

namespace dmmap::sound {

Result<SinkChoice> parse_sink(std::string_view spec) {
  constexpr std::string_view kWav = "wav:";
  if (spec == "null") {
    return SinkChoice{};
  }
  if (spec.starts_with(kWav) && spec.size() > kWav.size()) {
    return SinkChoice{std::string(spec.substr(kWav.size()))};
  }
  return fail(EINVAL, fmt::format("there is no sink '{}'; say wav:FILE or null", spec));
}

Result<std::unique_ptr<Sink>> open_sink(const SinkChoice& choice) {
  if (choice.file.empty()) {
    return std::make_unique<NullSink>();
  }
  auto wav = WavSink::create(choice.file);
  if (!wav) {
    return tl::unexpected(wav.error());
  }
  return std::move(*wav);
}

}  // namespace dmmap::sound
