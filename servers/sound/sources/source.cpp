#include "servers/sound/sources/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

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
  if (spec == "silence") {
    return SourceChoice{};
  }
  if (spec == "none") {
    return SourceChoice{SourceChoice::Kind::none, {}};
  }
  constexpr std::string_view kWav = "wav:";
  if (spec.starts_with(kWav) && spec.size() > kWav.size()) {
    return SourceChoice{SourceChoice::Kind::wav, std::string(spec.substr(kWav.size()))};
  }
  return fail(EINVAL, fmt::format("there is no source '{}'; say wav:FILE, silence or none", spec));
}

Result<std::unique_ptr<Source>> open_source(const SourceChoice& choice, const LogSink& log) {
  if (choice.kind == SourceChoice::Kind::none) {
    return std::unique_ptr<Source>();
  }
  if (choice.kind == SourceChoice::Kind::wav) {
    auto wav = WavSource::create(choice.name, log);
    if (!wav) {
      return tl::unexpected(wav.error());
    }
    return std::move(*wav);
  }
  return std::make_unique<SilentSource>();
}

}  // namespace dmmap::sound
