#include "servers/sound/playback_stream.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace dmmap::sound {

namespace {

// A fragment may be so short that a thread can't wake for each; then the ring has some slack, but only so much.
constexpr Nanoseconds kShortLateness = std::chrono::milliseconds(5);

}  // namespace

PlaybackStream::PlaybackStream(std::shared_ptr<Region> region, bool mappable)
    : region_(std::move(region)), mappable_(mappable), choice_(region_->size()) {}

bool PlaybackStream::in_use() const {
  return running_ || path_ == Path::mapped || playable_end() > played_;
}

void PlaybackStream::set_format(Time now, const AudioFormat& wanted) {
  advance(now);
  if (in_use() || wanted == format_) {
    return;
  }
  forget_all();
  format_ = wanted;
}

Result<void> PlaybackStream::set_fragments(std::uint32_t value) {
  return path_ == Path::undecided ? choice_.set(value) : fail(EINVAL, "the ring is in use");
}

Result<std::uint32_t> PlaybackStream::subdivide(std::uint32_t parts) {
  if (parts != 0 && path_ != Path::undecided) {
    return fail(EINVAL, "the ring is in use");
  }
  return choice_.subdivide(parts);
}

void PlaybackStream::prepare_ring() {
  const std::byte silent = silence(format_.encoding);
  if (silent == std::byte{0} || path_ != Path::undecided) {
    return;
  }
  std::vector<std::byte> ring(fragments().ring_bytes());
  const auto is_zero = [](std::byte value) { return value == std::byte{0}; };
  if (region_->read(0, ring) && std::all_of(ring.begin(), ring.end(), is_zero)) {
    std::fill(ring.begin(), ring.end(), silent);
    static_cast<void>(region_->write(0, ring));  // the ring lies within the region
  }
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
  for (std::size_t done = 0; done < taken;) {
    const std::uint64_t at = (written_ + done) % ring;
    const std::size_t run = std::min<std::uint64_t>(taken - done, ring - at);
    static_cast<void>(region_->write(at, bytes.subspan(done, run)));  // the ring lies within the region
    done += run;
  }
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
    prepare_ring();
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

Nanoseconds PlaybackStream::tolerance() const {
  const auto lasting = [this](std::uint64_t bytes) {
    return Nanoseconds(static_cast<std::int64_t>(bytes * 1'000'000'000 / bytes_a_second(format_)));
  };
  const Fragments ring = fragments();
  return std::max(lasting(ring.size / 2), std::min(lasting(ring.ring_bytes() / 4), kShortLateness));
}

std::uint64_t PlaybackStream::playable_end() const {
  return path_ == Path::written ? written_ - (written_ - played_) % frame_bytes(format_) : played_;
}

std::uint64_t PlaybackStream::next_boundary() const {
  const std::uint64_t size = fragments().size;
  return (played_ / size + 1) * size;
}

void PlaybackStream::advance(Time now) {
  if (!running_) {
    return;
  }
  const std::uint64_t frame = frame_bytes(format_);
  const std::uint64_t boundary = next_boundary();
  const bool enough = path_ == Path::mapped || playable_end() >= boundary;
  const Nanoseconds late = now - clock_.time_of(boundary / frame);
  if (enough && late > tolerance()) {
    play_until(boundary);
    slip(now, late);
  } else {
    const std::uint64_t due = clock_.frame_at(now) * frame;
    play_until(path_ == Path::mapped ? due : std::min(due, playable_end()));
  }
  if (path_ == Path::written && playable_end() == played_) {
    ran_dry(clock_.time_of(played_ / frame));
  }
}

std::optional<Time> PlaybackStream::deadline() const {
  if (!running_) {
    return std::nullopt;
  }
  const std::uint64_t boundary = next_boundary();
  const std::uint64_t next = path_ == Path::written ? std::min(boundary, playable_end()) : boundary;
  return clock_.time_of(next / frame_bytes(format_));
}

void PlaybackStream::start_if_due(Time now) {
  const Fragments ring = fragments();
  const std::uint64_t filled = written_ - played_;
  if (filled >= ring.size || draining_) {
    post(now);
  }
}

void PlaybackStream::start(Time now) {
  clock_.start(now, played_ / frame_bytes(format_), format_.rate);
  running_ = true;
  Chunk& chunk = open_chunk();
  chunk.begins = true;
  chunk.at = now;
  if (dry_since_) {
    chunk.silent = now - *dry_since_;
    dry_since_.reset();
    ++counts_.underruns;
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
  played_ = written_ = blocks_ = 0;
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
  for (std::size_t done = 0; done < to.size();) {
    const std::uint64_t at = (played_ + done) % ring.ring_bytes();
    const std::size_t run = std::min<std::uint64_t>(to.size() - done, ring.ring_bytes() - at);
    static_cast<void>(region_->read(at, to.subspan(done, run)));  // the ring lies within the region
    done += run;
  }
  blocks_ += end / ring.size - played_ / ring.size;
  counts_.frames += to.size() / frame_bytes(format_);
  counts_.seconds += static_cast<double>(to.size()) / static_cast<double>(bytes_a_second(format_));
  played_ = end;
}

void PlaybackStream::slip(Time now, Nanoseconds late) {
  ++counts_.slips;
  clock_.start(now, played_ / frame_bytes(format_), format_.rate);
  chunks_.push_back({.format = format_, .slipped = late});
}

Chunk& PlaybackStream::open_chunk() {
  if (chunks_.empty() || chunks_.back().ends) {
    chunks_.push_back({.format = format_});
  }
  return chunks_.back();
}

}  // namespace dmmap::sound
