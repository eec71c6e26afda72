#include "servers/sound/audio/channels.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace dmmap::sound {

namespace {

enum class Speaker : unsigned char {
  mono,
  left,
  right,
  centre,
  bass,
  side_left,
  side_right,
  rear_left,
  rear_right,
  rear
};
using S = Speaker;

std::vector<Speaker> layout(unsigned channels) {
  switch (channels) {
    case 1:
      return {S::mono};
    case 2:
      return {S::left, S::right};
    case 3:
      return {S::left, S::right, S::centre};
    case 4:
      return {S::left, S::right, S::rear_left, S::rear_right};
    case 5:
      return {S::left, S::right, S::rear_left, S::rear_right, S::centre};
    case 6:
      return {S::left, S::right, S::rear_left, S::rear_right, S::centre, S::bass};
    case 7:
      return {S::left, S::right, S::rear_left, S::rear_right, S::centre, S::bass, S::rear};
    default:
      return {S::left, S::right, S::rear_left, S::rear_right, S::centre, S::bass, S::side_left, S::side_right};
  }
}

constexpr float kLess = 0.70710678F;  // -3 dB

struct Neighbour {
  Speaker speaker;
  float gain;
};
// The first of these that the sink has all of takes the place.
std::vector<std::vector<Neighbour>> instead_of(Speaker speaker) {
  switch (speaker) {
    case S::mono:
      return {{{S::left, 1}, {S::right, 1}}};
    case S::left:
    case S::right:
      return {{{S::mono, 0.5F}}};
    case S::centre:
      return {{{S::left, kLess}, {S::right, kLess}}, {{S::mono, kLess}}};
    case S::side_left:
      return {{{S::rear_left, 1}}, {{S::left, kLess}}, {{S::mono, kLess / 2}}};
    case S::side_right:
      return {{{S::rear_right, 1}}, {{S::right, kLess}}, {{S::mono, kLess / 2}}};
    case S::rear_left:
      return {{{S::side_left, 1}}, {{S::left, kLess}}, {{S::mono, kLess / 2}}};
    case S::rear_right:
      return {{{S::side_right, 1}}, {{S::right, kLess}}, {{S::mono, kLess / 2}}};
    case S::rear:
      return {{{S::rear_left, kLess}, {S::rear_right, kLess}},
              {{S::side_left, kLess}, {S::side_right, kLess}},
              {{S::left, 0.5F}, {S::right, 0.5F}},
              {{S::mono, 0.5F}}};
    case S::bass:
      return {};
  }
  return {};
}

std::optional<std::size_t> place_of(Speaker speaker, const std::vector<Speaker>& among) {
  const auto found = std::find(among.begin(), among.end(), speaker);
  return found == among.end() ? std::nullopt : std::optional<std::size_t>(found - among.begin());
}

}  // namespace

ChannelMap::ChannelMap(unsigned from, unsigned to) : from_(from), to_(to), gains_(std::size_t{from} * to) {
  const auto sources = layout(from);
  const auto targets = layout(to);
  for (std::size_t source = 0; source < sources.size(); ++source) {
    std::vector<std::vector<Neighbour>> choices = instead_of(sources[source]);
    choices.insert(choices.begin(), {{sources[source], 1.0F}});
    for (const auto& choice : choices) {
      const auto there = [&](const Neighbour& each) { return place_of(each.speaker, targets).has_value(); };
      if (std::all_of(choice.begin(), choice.end(), there)) {
        for (const Neighbour& each : choice) {
          gains_[*place_of(each.speaker, targets) * from_ + source] = each.gain;
        }
        break;
      }
    }
  }
  float loudest = 1;
  for (std::size_t target = 0; target < targets.size(); ++target) {
    const auto row = gains_.begin() + static_cast<std::ptrdiff_t>(target * from_);
    loudest = std::max(loudest, std::accumulate(row, row + static_cast<std::ptrdiff_t>(from_), 0.0F));
  }
  for (float& gain : gains_) {
    gain /= loudest;
  }
}

void ChannelMap::apply(std::span<const float> samples, std::vector<float>& out) const {
  if (changes_nothing()) {
    out.insert(out.end(), samples.begin(), samples.end());
    return;
  }
  out.reserve(out.size() + samples.size() / from_ * to_);
  for (std::size_t frame = 0; frame + from_ <= samples.size(); frame += from_) {
    for (unsigned target = 0; target < to_; ++target) {
      float sum = 0;
      for (unsigned source = 0; source < from_; ++source) {
        sum += samples[frame + source] * gains_[std::size_t{target} * from_ + source];
      }
      out.push_back(sum);
    }
  }
}

std::vector<float> gains_by_channel(unsigned channels, float left, float right) {
  std::vector<float> gains;
  for (const Speaker speaker : layout(channels)) {
    switch (speaker) {
      case S::left:
      case S::side_left:
      case S::rear_left:
        gains.push_back(left);
        break;
      case S::right:
      case S::side_right:
      case S::rear_right:
        gains.push_back(right);
        break;
      case S::mono:
      case S::centre:
      case S::bass:
      case S::rear:
        gains.push_back((left + right) / 2);
        break;
    }
  }
  return gains;
}

}  // namespace dmmap::sound
