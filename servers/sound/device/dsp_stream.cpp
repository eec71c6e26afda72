#include "servers/sound/device/dsp_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/soundcard.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace dmmap::sound {

// Holds the stream's lock, knows the time, which the stream has come to, and does what has come of it when the lock is
// let go of.
class DMMAP_SCOPED_CAPABILITY DspStream::Turn {
 public:
  // The analysis doesn't see that lock_ holds the stream's.
  explicit Turn(DspStream& of) DMMAP_ACQUIRE(of.lock_) DMMAP_NOT_ANALYSED : stream_(of), lock_(of.lock_) {
    // The engine may have seen a later moment, or a client may: before that, and while the ring is copied.
    now_ = std::max(of.clock_.now(), of.latest_);
    while (const auto part = of.core_.due(now_)) {
      lock_.unlock();
      const std::vector<std::byte> bytes = of.copy_of(*part);
      lock_.lock();
      of.core_.supply(*part, bytes);
      now_ = std::max(now_, of.latest_);
    }
    of.latest_ = now_;
    of.core_.advance(now_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() DMMAP_RELEASE() { done(); }

  [[nodiscard]] Time now() const { return now_; }
  Outcome& outcome() { return outcome_; }
  /// Ends the turn; what follows isn't under the lock.
  void done() DMMAP_RELEASE() DMMAP_NOT_ANALYSED {
    if (!std::exchange(done_, true)) {
      stream_.settle(now_, outcome_);
      lock_.unlock();
      stream_.carry_out(std::move(outcome_));
    }
  }

 private:
  DspStream& stream_;
  MutexLock lock_;
  Time now_;
  bool done_ = false;
  Outcome outcome_;
};

DspStream::DspStream(StreamIdentity identity, std::shared_ptr<Region> ring, bool mmap_here, const Clock& clock,
                     Engine& engine, LogSink log)
    : identity_(std::move(identity)),
      region_(std::move(ring)),
      mmap_here_(mmap_here),
      clock_(clock),
      engine_(engine),
      log_(std::move(log)),
      core_(kMostRingBytes, region_ != nullptr) {}

Result<Grant> DspStream::map(const MapRequest& /*request*/) {
  return region_ ? Result<Grant>(Grant{.region = region_}) : fail(ENODEV, "this mount has no rings to map");
}

std::vector<std::byte> DspStream::copy_of(const RingPart& part) {
  std::vector<std::byte> bytes(part.end - part.begin, part.silent);
  if (const auto copied = read_ring(*region_, part, bytes); !copied) {
    ring_failed(copied.error());
  }
  return bytes;
}

void DspStream::prepare_ring() {
  std::optional<RingSilence> wanted;
  {
    const MutexLock lock(lock_);
    wanted = core_.silence_wanted();
  }
  if (wanted) {
    if (const auto done = silence_ring(*region_, *wanted); !done) {
      ring_failed(done.error());
    }
  }
}

void DspStream::ring_failed(const Error& error) {
  if (!ring_failure_noted_.exchange(true)) {
    log_(LogLevel::warning,
         fmt::format("stream {}: {}: its ring can't be reached, and what isn't is heard as silence: {}",
                     identity_.number, identity_.program, error.message));
  }
}

void DspStream::read(const ReadRequest& /*request*/, Reply<Data> reply) {
  reply.error(ENXIO);  // as Linux, when there's no capture (sound/core/oss/pcm_oss.c)
}

void DspStream::write(const WriteRequest& request, Reply<Written> reply) {
  const std::uint64_t id = next_id_.fetch_add(1);
  if ((request.flags & O_NONBLOCK) == 0) {
    // Before the Reply is where the engine finds it. A signal that comes before that is seen below.
    reply.on_interrupt([weak = weak_from_this(), id] {
      if (const auto self = weak.lock()) {
        static_cast<DspStream&>(*self).interrupted(id);
      }
    });
  }
  Turn turn(*this);
  nonblock_flag_ = (request.flags & O_NONBLOCK) != 0;
  const std::size_t taken = writes_.empty() ? core_.write(turn.now(), request.data) : 0;
  const bool wait = !nonblock() && core_.output_enabled() && !reply.interrupted();
  if (taken < request.data.size() && wait) {
    writes_.push_back({id, std::move(reply), request.data, taken});
    return;
  }
  const int code = reply.interrupted() && !nonblock() ? EINTR : EAGAIN;
  turn.done();
  if (taken > 0 || request.data.empty()) {
    reply.ok({static_cast<std::uint32_t>(taken)});
  } else {
    reply.error(code);
  }
}

void DspStream::ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) {
  if (request.command == SNDCTL_DSP_SYNC) {
    wait_for_drain({next_id_.fetch_add(1), std::move(reply), std::nullopt});
    return;
  }
  if (leads_to_the_ring(request.command)) {
    prepare_ring();
  }
  const DeviceFacts facts{.mmap = region_ ? granted() != nullptr : mmap_here_};
  Turn turn(*this);
  IoctlAnswer answer;
  if (request.command == SNDCTL_DSP_NONBLOCK) {
    nonblock_asked_ = true;
  } else {
    answer = answer_ioctl(core_, facts, turn.now(), request.command, request.input);
  }
  turn.done();
  if (answer.error != 0) {
    reply.error(answer.error);
  } else {
    reply.ok({.result = 0, .output = answer.output});
  }
}

std::uint32_t DspStream::poll(std::uint32_t events) {
  Turn turn(*this);
  constexpr std::uint32_t kOut = POLLOUT | POLLWRNORM;
  const bool writable = core_.writable(turn.now());
  poller_waits_ = !writable;
  return writable ? events & kOut : 0;
}

void DspStream::flush(const FlushRequest& /*request*/, Reply<Done> reply) {
  wait_for_drain({next_id_.fetch_add(1), std::nullopt, std::move(reply)});
}

void DspStream::wait_for_drain(WaitingDrain waiting) {
  const bool closing = waiting.close.has_value();
  ReplyBase& reply = closing ? static_cast<ReplyBase&>(*waiting.close) : static_cast<ReplyBase&>(*waiting.sync);
  reply.on_interrupt([weak = weak_from_this(), id = waiting.id] {
    if (const auto self = weak.lock()) {
      static_cast<DspStream&>(*self).interrupted(id);
    }
  });
  Turn turn(*this);
  const bool playing = core_.drain(turn.now());
  if (playing && reply.interrupted()) {
    close_interrupted_ = close_interrupted_ || closing;
    turn.done();
    reply.error(EINTR);
    return;
  }
  if (playing && !(closing && nonblock())) {
    drains_.push_back(std::move(waiting));
    return;
  }
  turn.outcome().drained.push_back(std::move(waiting));
}

void DspStream::interrupted(std::uint64_t id) {
  std::optional<WaitingWrite> write;
  std::optional<WaitingDrain> drain;
  {
    const MutexLock lock(lock_);
    const auto has_id = [id](const auto& each) { return each.id == id; };
    if (const auto found = std::find_if(writes_.begin(), writes_.end(), has_id); found != writes_.end()) {
      write = std::move(*found);
      writes_.erase(found);
    }
    if (const auto found = std::find_if(drains_.begin(), drains_.end(), has_id); found != drains_.end()) {
      drain = std::move(*found);
      drains_.erase(found);
      close_interrupted_ = close_interrupted_ || drain->close;
    }
  }
  if (write && write->taken > 0) {
    write->reply.ok({static_cast<std::uint32_t>(write->taken)});
  } else if (write) {
    write->reply.error(EINTR);
  }
  if (drain && drain->sync) {
    drain->sync->error(EINTR);
  } else if (drain && drain->close) {
    drain->close->error(EINTR);
  }
}

void DspStream::released() {
  Turn turn(*this);
  // A program that doesn't wait expects that what it has written is heard all the same.
  if (!nonblock() || close_interrupted_ || !core_.drain(turn.now())) {
    core_.reset(turn.now());
  }
  released_ = true;
  turn.outcome().kick = true;
  give_up_writes(turn.outcome());
}

void DspStream::give_up_writes(Outcome& outcome) {
  std::move(writes_.begin(), writes_.end(), std::back_inserter(outcome.written));
  writes_.clear();
}

void DspStream::advance() {
  const Turn turn(*this);
}

std::optional<Time> DspStream::deadline() const {
  const MutexLock lock(lock_);
  return core_.deadline();
}

std::vector<Chunk> DspStream::take() {
  const MutexLock lock(lock_);
  return core_.take();
}

bool DspStream::finished() const {
  const MutexLock lock(lock_);
  return released_ && !core_.running();
}

void DspStream::end() {
  Turn turn(*this);
  core_.reset(turn.now());
  ended_ = true;
  give_up_writes(turn.outcome());
}

void DspStream::settle(Time now, Outcome& outcome) {
  while (!writes_.empty()) {
    WaitingWrite& first = writes_.front();
    first.taken += core_.write(now, first.data.subspan(first.taken));
    // Held output never makes room: what was taken is all that can be.
    if (first.taken < first.data.size() && core_.output_enabled()) {
      break;
    }
    outcome.written.push_back(std::move(first));
    writes_.pop_front();
  }
  if (!core_.draining()) {
    std::move(drains_.begin(), drains_.end(), std::back_inserter(outcome.drained));
    drains_.clear();
  }
  if (poller_waits_ && core_.writable(now)) {
    poller_waits_ = false;
    outcome.wake = !released_;
  }
  note(outcome);
  const auto deadline = core_.deadline();
  outcome.kick = outcome.kick || (deadline && (!deadline_seen_ || *deadline < *deadline_seen_));
  deadline_seen_ = deadline;
}

void DspStream::note(Outcome& outcome) {
  const StreamCounts& counts = core_.counts();
  const std::string who = fmt::format("stream {}: {}", identity_.number, identity_.program);
  if (counts.slips > 0 && !slip_noted_) {
    slip_noted_ = true;
    outcome.lines.push_back({LogLevel::warning, who + ": the server was late, and the stream's clock stood still"});
  }
  if (core_.running()) {
    const Fragments ring = core_.fragments();
    heard_through_ = core_.path() == Path::mapped ? "mmap" : "write";
    std::string line =
        fmt::format("{} {}, {}x{}, {}", who, describe(core_.format()), ring.count, ring.size, heard_through_);
    if (line != described_) {
      described_ = line;
      outcome.lines.push_back({LogLevel::info, std::move(line)});
    }
  } else if ((released_ || ended_) && !summed_up_) {
    summed_up_ = true;
    if (counts.frames > 0) {
      outcome.lines.push_back(
          {LogLevel::info,
           fmt::format("{} played {} frames ({:.2f} s) through {}, {} underruns, {} "
                       "slips",
                       who, counts.frames, counts.seconds, heard_through_, counts.underruns, counts.slips)});
    }
  }
}

void DspStream::carry_out(Outcome outcome) {
  for (const auto& [level, line] : outcome.lines) {
    log_(level, line);
  }
  if (outcome.kick) {
    engine_.kick();
  }
  if (outcome.wake) {
    wake_pollers();
  }
  for (WaitingWrite& write : outcome.written) {
    if (write.taken > 0) {
      write.reply.ok({static_cast<std::uint32_t>(write.taken)});
    } else {
      write.reply.error(EAGAIN);  // as Linux, while the output is held
    }
  }
  for (WaitingDrain& drain : outcome.drained) {
    if (drain.sync) {
      drain.sync->ok({});
    } else if (drain.close) {
      drain.close->ok({});
    }
  }
}

}  // namespace dmmap::sound
