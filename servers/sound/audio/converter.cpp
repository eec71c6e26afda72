#include "servers/sound/audio/converter.h"

#include <algorithm>

namespace dmmap::sound {

Converter::Converter(Side from, Side to) : map_(from.channels, to.channels), map_first_(from.channels > to.channels) {
  if (from.rate != to.rate) {
    resampler_.emplace(from.rate, to.rate, std::min(from.channels, to.channels));
  }
}

void Converter::process(std::span<const float> in, std::vector<float>& out) {
  if (!resampler_) {
    map_.apply(in, out);
  } else if (map_first_) {
    std::vector<float> mapped;
    map_.apply(in, mapped);
    resampler_->process(mapped, out);
  } else {
    std::vector<float> resampled;
    resampler_->process(in, resampled);
    map_.apply(resampled, out);
  }
}

void Converter::finish(std::vector<float>& out) {
  if (!resampler_) {
    return;
  }
  std::vector<float> rest;
  resampler_->finish(rest);
  if (map_first_) {
    out.insert(out.end(), rest.begin(), rest.end());
  } else {
    map_.apply(rest, out);
  }
}

}  // namespace dmmap::sound
