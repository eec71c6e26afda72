#include "servers/sound/stream/capture_stream.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace dmmap::sound {

void CaptureStream::set_format(Time now, const AudioFormat& wanted) {
  advance(now);
  if (running_ || made_ > read_ || wanted == format()) {
    return;
  }
  forget_all();
  pace_.set_format(wanted);
  if (recorder_) {
    recorder_->set_format(wanted);
  }
}

Result<void> CaptureStream::set_fragments(std::uint32_t value) {
  return path_ == CapturePath::undecided ? pace_.choice().set(value) : fail(EINVAL, "the ring is in use");
}

Result<std::uint32_t> CaptureStream::subdivide(std::uint32_t parts) {
  if (parts != 0 && path_ != CapturePath::undecided) {
    return fail(EINVAL, "the ring is in use");
  }
  return pace_.choice().subdivide(parts);
}

Result<void> CaptureStream::start(Time now) {
  advance(now);
  if (running_ || overrun_ || !input_) {
    return {};
  }
  if (!recorder_) {
    auto recording = source_.begin({format().rate, format().channels});
    if (!recording) {
      return tl::unexpected(recording.error());
    }
    recorder_.emplace(std::move(*recording), format());
  } else {
    recorder_->skip();
  }
  run(now);
  return {};
}

Result<void> CaptureStream::trigger(Time now, bool input) {
  advance(now);
  input_ = input;
  if (!input) {
    stop();
    forget_all();
    return {};
  }
  const bool fresh = path_ == CapturePath::undecided;
  overrun_ = overrun_ && !fresh;  // a mapped ring is never full
  auto started = start(now);
  if (started && fresh) {
    path_ = CapturePath::mapped;
  }
  return started;
}

std::size_t CaptureStream::read(Time now, std::span<std::byte> to) {
  advance(now);
  const std::uint64_t ring = fragments().ring_bytes();
  if (path_ != CapturePath::read) {
    // From here on the client's reading decides what there's room for.
    path_ = CapturePath::read;
    recorded_ = made_;
    read_ = recorded_ - std::min(recorded_, ring);
  }
  const std::size_t count = std::min<std::uint64_t>(to.size(), recorded_ - read_);
  ring_.get(read_, to.first(count), ring);
  read_ += count;
  if (overrun_ && count > 0 && input_) {
    overrun_ = false;
    recorder_->skip();
    run(now);
  }
  return count;
}

void CaptureStream::reset(Time now) {
  advance(now);
  stop();
  forget_all();
}

Position CaptureStream::position(Time now) {
  advance(now);
  return {recorded_, std::exchange(blocks_, 0), recorded_ % fragments().ring_bytes()};
}

std::uint64_t CaptureStream::available(Time now) {
  advance(now);
  return std::min(recorded_ - read_, fragments().ring_bytes());
}

bool CaptureStream::readable(Time now) {
  advance(now);
  return path_ == CapturePath::mapped ? blocks_ > 0 : available(now) >= fragments().size;
}

RingPace::Progress CaptureStream::progress(Time now) const {
  constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t room = read_ + fragments().ring_bytes();
  return pace_.progress(recorded_, path_ == CapturePath::mapped ? kForEver : room - room % pace_.frame(), now);
}

void CaptureStream::make_until(std::uint64_t end) {
  if (end <= made_) {
    return;
  }
  std::vector<std::byte> bytes(end - made_);
  recorder_->record(bytes, levels_.recording() * gain_);
  ring_.put(made_, bytes, fragments().ring_bytes());
  made_ = end;
}

std::optional<CaptureStream::Store> CaptureStream::begin_store(Time now, bool region_is_mine) {
  region_mine_ = region_is_mine;
  if (!running_ || path_ != CapturePath::mapped || !region_mine_ || storing_) {
    return std::nullopt;
  }
  make_until(progress(now).end);
  stored_ = std::max(stored_, recorded_);
  if (made_ == stored_) {
    return std::nullopt;
  }
  storing_ = true;
  Store store{{generation_, stored_, made_, fragments().ring_bytes(), silence(format().encoding)}, {}};
  store.bytes.resize(made_ - stored_);
  ring_.get(stored_, store.bytes, store.part.ring_bytes);
  return store;
}

void CaptureStream::stored(const RingPart& part) {
  storing_ = false;
  if (part.generation == generation_) {
    stored_ = std::max(stored_, part.end);
  }
}

void CaptureStream::advance(Time now) {
  if (!running_) {
    return;
  }
  const RingPace::Progress to = progress(now);
  make_until(to.end);
  if (path_ == CapturePath::mapped && region_mine_ && stored_ < to.end) {
    record_until(std::max(stored_, recorded_));
    return;
  }
  record_until(to.end);
  if (to.late) {
    ++counts_.slips;
    pace_.start(now, recorded_);
  }
  const std::uint64_t ring = fragments().ring_bytes();
  if (path_ != CapturePath::mapped && recorded_ - read_ + pace_.frame() > ring) {
    ++counts_.xruns;
    running_ = false;
    overrun_ = true;
  }
}

std::optional<Time> CaptureStream::deadline() const {
  if (!running_) {
    return std::nullopt;
  }
  std::uint64_t next = pace_.boundary_after(recorded_);
  if (wanted_ > 0 && path_ == CapturePath::read) {
    const std::uint64_t frame = pace_.frame();
    next = std::min(next, std::max((read_ + wanted_ + frame - 1) / frame * frame, recorded_ + frame));
  }
  return pace_.time_of(next);
}

void CaptureStream::run(Time now) {
  pace_.start(now, recorded_);
  running_ = true;
}

void CaptureStream::stop() {
  running_ = overrun_ = false;
}

void CaptureStream::forget_all() {
  path_ = CapturePath::undecided;
  made_ = recorded_ = stored_ = read_ = blocks_ = 0;
  storing_ = false;
  ++generation_;
}

void CaptureStream::record_until(std::uint64_t end) {
  if (end <= recorded_) {
    return;
  }
  const std::uint64_t bytes = end - recorded_;
  const std::uint64_t size = fragments().size;
  blocks_ += end / size - recorded_ / size;
  counts_.frames += bytes / pace_.frame();
  counts_.seconds += static_cast<double>(bytes) / static_cast<double>(bytes_a_second(format()));
  recorded_ = end;
}

}  // namespace dmmap::sound
