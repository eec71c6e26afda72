#include "servers/sound/stream/playback_stream.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace dmmap::sound {

bool PlaybackStream::in_use() const {
  return running_ || path_ == Path::mapped || playable_end() > played_;
}

void PlaybackStream::set_format(Time now, const AudioFormat& wanted) {
  advance(now);
  if (in_use() || wanted == format()) {
    return;
  }
  forget_all();
  pace_.set_format(wanted);
}

Result<void> PlaybackStream::set_fragments(std::uint32_t value) {
  return path_ == Path::undecided ? pace_.choice().set(value) : fail(EINVAL, "the ring is in use");
}

Result<std::uint32_t> PlaybackStream::subdivide(std::uint32_t parts) {
  if (parts != 0 && path_ != Path::undecided) {
    return fail(EINVAL, "the ring is in use");
  }
  return pace_.choice().subdivide(parts);
}

std::optional<RingSilence> PlaybackStream::silence_wanted() const {
  const std::byte silent = silence(format().encoding);
  // A region's pages begin as zeros.
  const bool wanted = silent != std::byte{0} && path_ == Path::undecided && mappable_;
  return wanted ? std::optional(RingSilence{fragments().ring_bytes(), silent}) : std::nullopt;
}

std::size_t PlaybackStream::write(Time now, std::span<const std::byte> bytes) {
  advance(now);
  if (path_ == Path::mapped) {
    stop();
    forget_all();
  }
  path_ = Path::written;
  const std::uint64_t ring = fragments().ring_bytes();
  const std::size_t taken = std::min<std::uint64_t>(bytes.size(), ring - (written_ - played_));
  ring_.put(written_, bytes.first(taken), ring);
  written_ += taken;
  start_if_due(now);
  return taken;
}

void PlaybackStream::trigger(Time now, bool output) {
  advance(now);
  output_ = output;
  if (!output) {
    stop();
    draining_ = false;
    if (path_ == Path::mapped) {
      forget_all();
    }
    return;
  }
  if (path_ == Path::undecided && mappable_) {
    path_ = Path::mapped;
    start(now);
  } else {
    post(now);
  }
}

void PlaybackStream::post(Time now) {
  if (path_ == Path::written && output_ && !running_ && playable_end() > played_) {
    start(now);
  }
}

void PlaybackStream::reset(Time now) {
  advance(now);
  stop();
  forget_all();
}

bool PlaybackStream::drain(Time now) {
  advance(now);
  dry_since_.reset();
  if (path_ != Path::written || !output_ || playable_end() == played_) {
    return false;
  }
  draining_ = true;
  post(now);
  return true;
}

Position PlaybackStream::position(Time now) {
  advance(now);
  return {played_, std::exchange(blocks_, 0), played_ % fragments().ring_bytes()};
}

std::uint64_t PlaybackStream::space(Time now) {
  return fragments().ring_bytes() - unplayed(now);
}

std::uint64_t PlaybackStream::unplayed(Time now) {
  advance(now);
  return path_ == Path::written ? written_ - played_ : 0;
}

bool PlaybackStream::writable(Time now) {
  advance(now);
  switch (path_) {
    case Path::undecided:
      return true;
    case Path::mapped:
      return blocks_ > 0;
    case Path::written:
      break;
  }
  return space(now) >= fragments().size;
}

std::uint64_t PlaybackStream::playable_end() const {
  return path_ == Path::written ? written_ - (written_ - played_) % pace_.frame() : played_;
}

RingPace::Progress PlaybackStream::progress(Time now) const {
  constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();
  return pace_.progress(played_, path_ == Path::mapped ? kForEver : playable_end(), now);
}

// Less than the ring: a fragment, and what advance() tolerates, which is half a fragment or a quarter of the ring.
std::optional<RingPart> PlaybackStream::due(Time now) const {
  if (!running_ || path_ != Path::mapped) {
    return std::nullopt;
  }
  const std::uint64_t end = progress(now).end;
  if (end <= std::max(played_, copied_)) {
    return std::nullopt;
  }
  return RingPart{generation_, played_, end, fragments().ring_bytes(), silence(format().encoding)};
}

void PlaybackStream::supply(const RingPart& part, std::span<const std::byte> bytes) {
  if (part.generation != generation_ || part.end <= played_) {
    return;
  }
  // Another thread may have come with some of it.
  const std::uint64_t begin = std::max(part.begin, played_);
  ring_.put(begin, bytes.subspan(begin - part.begin), part.ring_bytes);
  copied_ = std::max(copied_, part.end);
}

void PlaybackStream::advance(Time now) {
  if (!running_) {
    return;
  }
  const RingPace::Progress to = progress(now);
  if (path_ == Path::mapped && to.end > copied_) {
    play_until(copied_);
    return;
  }
  play_until(to.end);
  // What was copied beyond that isn't due any more: the client may still store there.
  copied_ = played_;
  if (to.late) {
    slip(now, *to.late);
  }
  if (path_ == Path::written && playable_end() == played_) {
    ran_dry(pace_.time_of(played_));
  }
}

std::optional<Time> PlaybackStream::deadline() const {
  if (!running_) {
    return std::nullopt;
  }
  const std::uint64_t boundary = pace_.boundary_after(played_);
  const std::uint64_t next = path_ == Path::written ? std::min(boundary, playable_end()) : boundary;
  return pace_.time_of(next);
}

void PlaybackStream::start_if_due(Time now) {
  const Fragments ring = fragments();
  const std::uint64_t filled = written_ - played_;
  if (filled >= ring.size || draining_) {
    post(now);
  }
}

void PlaybackStream::start(Time now) {
  pace_.start(now, played_);
  running_ = true;
  Chunk& chunk = open_chunk();
  chunk.begins = true;
  chunk.at = now;
  if (dry_since_) {
    chunk.silent = now - *dry_since_;
    dry_since_.reset();
    ++counts_.xruns;
  }
}

void PlaybackStream::stop() {
  if (running_) {
    open_chunk().ends = true;
    running_ = false;
  }
}

void PlaybackStream::forget_all() {
  path_ = Path::undecided;
  draining_ = false;
  dry_since_.reset();
  played_ = written_ = copied_ = blocks_ = 0;
  ++generation_;
}

void PlaybackStream::ran_dry(Time at) {
  stop();
  written_ = played_;  // what is left is less than a frame
  if (draining_) {
    draining_ = false;
  } else {
    dry_since_ = at;
  }
}

void PlaybackStream::play_until(std::uint64_t end) {
  if (end <= played_) {
    return;
  }
  const Fragments ring = fragments();
  std::vector<std::byte>& bytes = open_chunk().bytes;
  const std::size_t before = bytes.size();
  bytes.resize(before + (end - played_));
  const std::span<std::byte> to = std::span(bytes).subspan(before);
  ring_.get(played_, to, ring.ring_bytes());
  blocks_ += end / ring.size - played_ / ring.size;
  counts_.frames += to.size() / pace_.frame();
  counts_.seconds += static_cast<double>(to.size()) / static_cast<double>(bytes_a_second(format()));
  played_ = end;
}

void PlaybackStream::slip(Time now, Nanoseconds late) {
  ++counts_.slips;
  pace_.start(now, played_);
  chunks_.push_back({.format = format(), .slipped = late});
}

Chunk& PlaybackStream::open_chunk() {
  if (chunks_.empty() || chunks_.back().ends) {
    chunks_.push_back({.format = format()});
  }
  return chunks_.back();
}

}  // namespace dmmap::sound
