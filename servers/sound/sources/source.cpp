#include "servers/sound/sources/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "servers/sound/alsa/alsa_input.h"
#include "servers/sound/live/device_spec.h"
#include "servers/sound/live/live_source.h"
#include "servers/sound/pulse/pulse_input.h"
#include "servers/sound/sources/wav_source.h"

namespace dmmap::sound {

namespace {

class Silence final : public Recording {
 public:
  explicit Silence(const SourceFormat& format) : format_(format) {}
  [[nodiscard]] SourceFormat format() const override { return format_; }
  void read(std::span<float> samples) override { std::fill(samples.begin(), samples.end(), 0.0F); }

 private:
  SourceFormat format_;
};

}  // namespace

Result<std::unique_ptr<Recording>> SilentSource::begin(const SourceFormat& wanted) {
  return std::make_unique<Silence>(wanted);
}

Result<SourceChoice> parse_source(std::string_view spec) {
  using Kind = SourceChoice::Kind;
  if (spec == "silence") {
    return SourceChoice{};
  }
  if (spec == "none") {
    return SourceChoice{Kind::none};
  }
  if (const auto file = name_in(spec, "wav")) {
    return SourceChoice{Kind::wav, *file};
  }
  if (const auto name = name_in(spec, "pulse", "")) {
    return SourceChoice{Kind::pulse, *name};
  }
  if (const auto name = name_in(spec, "alsa", "default")) {
    return SourceChoice{Kind::alsa, *name};
  }
  return fail(EINVAL, fmt::format("there is no source '{}'; say wav:FILE, pulse, pulse:SOURCE, alsa, alsa:PCM, silence "
                                  "or none",
                                  spec));
}

Result<std::unique_ptr<Source>> open_source(const SourceChoice& choice, const LogSink& log) {
  using Kind = SourceChoice::Kind;
  switch (choice.kind) {
    case Kind::none:
      return std::unique_ptr<Source>();
    case Kind::silence:
      return std::make_unique<SilentSource>();
    case Kind::pulse:
      return std::make_unique<LiveSource>(choice.name.empty() ? "source pulse" : "source pulse:" + choice.name,
                                          std::make_unique<PulseInput>(choice.name), log);
    case Kind::alsa:
      return std::make_unique<LiveSource>("source alsa:" + choice.name, std::make_unique<AlsaInput>(choice.name), log);
    case Kind::wav:
      break;
  }
  auto wav = WavSource::create(choice.name, log);
  if (!wav) {
    return tl::unexpected(wav.error());
  }
  return std::move(*wav);
}

}  // namespace dmmap::sound
