#include "servers/sound/mix/mixer.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dmmap::sound {

namespace {

constexpr std::uint64_t kBlock = 4096;                        // frames given to the sink at a time
constexpr Nanoseconds kLongestGap = std::chrono::seconds(2);  // that an underrun leaves in the sink

// The chunks of a stream that belong together: up to and including the next that ends it.
std::span<const Chunk> first_run(std::span<const Chunk> chunks) {
  const auto end = std::find_if(chunks.begin(), chunks.end(), [](const Chunk& chunk) { return chunk.ends; });
  return chunks.first(static_cast<std::size_t>(end - chunks.begin()) + (end == chunks.end() ? 0 : 1));
}

}  // namespace

Mixer::Mixer(std::unique_ptr<Sink> sink, MixFormat wanted, const Levels& levels, LogSink log)
    : sink_(std::move(sink)), wanted_(wanted), levels_(levels), log_(std::move(log)) {}

void Mixer::begin() {
  report(sink_->begin());
}

void Mixer::mix(Time now, const std::vector<Part>& parts) {
  // What goes on comes first, so that it's known where in the sink's time the moment is at which others begin.
  const Nanoseconds excused = common_slip(parts);
  std::vector<Run> fresh;
  for (const Part& part : parts) {
    std::span<const Chunk> chunks = part.chunks;
    if (const auto voice = voices_.find(part.stream); voice != voices_.end() && voice->second.active()) {
      const auto run = first_run(chunks);
      feed(voice->second, run, excused);
      chunks = chunks.subspan(run.size());
    }
    while (!chunks.empty()) {
      const auto run = first_run(chunks);
      fresh.push_back({part.stream, run});
      chunks = chunks.subspan(run.size());
    }
  }
  std::stable_sort(fresh.begin(), fresh.end(),
                   [](const Run& a, const Run& b) { return a.chunks.front().at < b.chunks.front().at; });
  auto moment = reference(now);
  for (const Run& run : fresh) {
    const Chunk& first = run.chunks.front();
    if (!format_) {
      start_sink(first.format);
    }
    const std::uint64_t at = place(run, moment);
    if (!moment) {
      moment = Reference{first.at, static_cast<double>(at)};
    }
    Voice& voice = voices_.try_emplace(run.stream, format_->rate, format_->channels).first->second;
    voice.begin(first.format, at);
    feed(voice, run.chunks, Nanoseconds(0));
  }
  set_gains(parts);
  emit(complete_until());
  const bool played = !voices_.empty();
  std::erase_if(voices_, [](const auto& entry) { return !entry.second.active() && entry.second.empty(); });
  if (played && voices_.empty()) {
    play_out();
  }
}

void Mixer::set_gains(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    if (const auto voice = voices_.find(part.stream); voice != voices_.end()) {
      voice->second.set_own_gain(part.gain);
    }
  }
  const Gain all = levels_.playback();
  for (auto& [stream, voice] : voices_) {
    voice.set_common_gain(all);
  }
}

void Mixer::play_out() {
  if (limiter_) {
    std::vector<float> rest;
    limiter_->flush(rest);
    report(sink_->write(rest));
    report(sink_->idle());
  }
}

void Mixer::finish() {
  for (auto& [stream, voice] : voices_) {
    voice.end();
  }
  emit(complete_until());
  voices_.clear();
  play_out();
}

void Mixer::sync() {
  report(sink_->sync());
}

void Mixer::start_sink(const AudioFormat& first) {
  format_ = SinkFormat{wanted_.rate.value_or(first.rate), wanted_.channels.value_or(first.channels),
                       sink_bits(first.encoding)};
  limiter_.emplace(format_->rate, format_->channels);
  report(sink_->start(*format_));
}

// When the server was late all streams slip by about the same time, and then nothing has to be put between.
Nanoseconds Mixer::common_slip(std::span<const Part> parts) const {
  std::optional<Nanoseconds> least;
  for (const auto& [stream, voice] : voices_) {
    if (!voice.active()) {
      continue;
    }
    Nanoseconds slipped{0};
    for (const Part& part : parts) {
      if (part.stream == stream) {
        for (const Chunk& chunk : first_run(part.chunks)) {
          slipped += chunk.slipped;
        }
      }
    }
    least = std::min(least.value_or(slipped), slipped);
  }
  return least.value_or(Nanoseconds(0));
}

void Mixer::feed(Voice& voice, std::span<const Chunk> run, Nanoseconds excused) {
  for (const Chunk& chunk : run) {
    const Nanoseconds shared = std::min(excused, chunk.slipped);
    excused -= shared;
    voice.pause(chunk.slipped - shared);
    voice.play(chunk.bytes);
    if (chunk.ends) {
      voice.end();
    }
  }
}

std::optional<Mixer::Reference> Mixer::reference(Time now) const {
  std::optional<Reference> furthest;
  for (const auto& [stream, voice] : voices_) {
    if (voice.active() && (!furthest || voice.played_until() > furthest->frame)) {
      furthest = Reference{now, voice.played_until()};
    }
  }
  return furthest;
}

std::uint64_t Mixer::place(const Run& run, const std::optional<Reference>& reference) {
  const Chunk& first = run.chunks.front();
  if (reference) {
    const double since = std::chrono::duration<double>(first.at - reference->time).count();
    const double frame = std::round(reference->frame + since * format_->rate);
    return std::max(frames_, static_cast<std::uint64_t>(std::max(frame, 0.0)));
  }
  std::uint64_t end = frames_;
  for (const auto& [stream, voice] : voices_) {
    end = std::max(end, voice.ready_until());
  }
  const double gap = std::chrono::duration<double>(std::min(first.silent, kLongestGap)).count() * format_->rate;
  return end + static_cast<std::uint64_t>(gap);
}

std::uint64_t Mixer::complete_until() const {
  std::optional<std::uint64_t> all;
  std::uint64_t any = frames_;
  for (const auto& [stream, voice] : voices_) {
    any = std::max(any, voice.ready_until());
    if (voice.active()) {
      all = std::min(all.value_or(voice.ready_until()), voice.ready_until());
    }
  }
  return all.value_or(any);
}

void Mixer::emit(std::uint64_t until) {
  std::vector<float> block;
  std::vector<float> limited;
  while (frames_ < until) {
    const std::uint64_t count = std::min(kBlock, until - frames_);
    block.assign(count * format_->channels, 0.0F);
    for (auto& [stream, voice] : voices_) {
      voice.add_to(block, frames_);
    }
    limited.clear();
    limiter_->process(block, limited);
    report(sink_->write(limited));
    frames_ += count;
  }
}

void Mixer::report(const Result<void>& result) {
  if (!result && !failed_.exchange(true)) {
    log_(LogLevel::error, result.error().message);
  }
}

}  // namespace dmmap::sound
