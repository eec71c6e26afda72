#include "servers/sound/device/dsp_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/soundcard.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "servers/device/poll_events.h"
#include "servers/device/take_out.h"
#include "servers/sound/device/half_status.h"

namespace dmmap::sound {

using device::kIn;
using device::kOut;

namespace {

// "stream 3: mplayer[1234]"
std::string name_of(const StreamIdentity& identity) {
  return fmt::format("stream {}: {}[{}]", identity.number, identity.program, identity.pid);
}

}  // namespace

// Holds the stream's lock, knows the time, which the stream has come to, and does what has come of it when the lock is
// let go of.
class DMMAP_SCOPED_CAPABILITY DspStream::Turn {
 public:
  // The analysis doesn't see that lock_ holds the stream's.
  explicit Turn(DspStream& of) DMMAP_ACQUIRE(of.lock_) DMMAP_NOT_ANALYSED : stream_(of), lock_(of.lock_) {
    // The engine may have seen a later moment, or a client may: before that, and while the ring is copied.
    now_ = std::max(of.clock_.now(), of.latest_);
    while (const auto part = of.playback_ ? of.playback_->due(now_) : std::nullopt) {
      lock_.unlock();
      const std::vector<std::byte> bytes = of.copy_of(*part);
      lock_.lock();
      of.playback_->supply(*part, bytes);
      now_ = std::max(now_, of.latest_);
    }
    if (of.capture_) {
      if (const auto store = of.capture_->begin_store(now_, of.ring_takes_recording())) {
        lock_.unlock();
        of.store(*store);
        lock_.lock();
        of.capture_->stored(store->part);
        now_ = std::max(now_, of.latest_);
      }
      of.capture_->advance(now_);
    }
    of.latest_ = now_;
    if (of.playback_) {
      of.playback_->advance(now_);
    }
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

DspStream::DspStream(StreamIdentity identity, DspAbilities abilities, Levels& levels, const Clock& clock,
                     Engine& engine, LogSink log)
    : identity_(std::move(identity)),
      rings_(abilities.rings),
      asked_at_open_(abilities.asked_at_open),
      card_(std::move(abilities.card)),
      card_levels_(levels),
      clock_(clock),
      engine_(engine),
      log_(std::move(log)),
      playback_log_(name_of(identity_), false),
      capture_log_(name_of(identity_), true) {
  if (abilities.rings.play) {
    playback_.emplace(kMostRingBytes, rings_.any()).set_format(Time{}, abilities.format);
  }
  if (abilities.source != nullptr) {
    capture_.emplace(kMostRingBytes, *abilities.source, levels).set_format(Time{}, abilities.format);
  }
}

Result<Grant> DspStream::map(const MapRequest& request) {
  return rings_.grant(request);
}

std::vector<std::byte> DspStream::copy_of(const RingPart& part) {
  std::vector<std::byte> bytes(part.end - part.begin, part.silent);
  if (const auto copied = rings_.read(part, bytes); !copied) {
    ring_failed(copied.error());
  }
  return bytes;
}

void DspStream::store(const CaptureStream::Store& store) {
  if (const auto done = rings_.store(store.part, store.bytes); !done) {
    ring_failed(done.error());
  }
}

void DspStream::prepare_ring() {
  std::optional<RingSilence> wanted;
  {
    const MutexLock lock(lock_);
    wanted = playback_ ? playback_->silence_wanted() : std::nullopt;
  }
  if (wanted) {
    if (const auto done = rings_.silence(*wanted); !done) {
      ring_failed(done.error());
    }
  }
}

void DspStream::ring_failed(const Error& error) {
  if (!ring_failure_noted_.exchange(true)) {
    log_(LogLevel::warning, fmt::format("{}: its ring can't be reached, and what isn't is heard as silence: {}",
                                        name_of(identity_), error.message));
  }
}

void DspStream::on_interrupt(ReplyBase& reply, std::uint64_t id) {
  reply.on_interrupt([weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) {
      static_cast<DspStream&>(*self).interrupted(id);
    }
  });
}

void DspStream::read(const ReadRequest& request, Reply<Data> reply) {
  WaitingRead waiting{next_id_.fetch_add(1), std::move(reply), request.size, request.size, {}};
  const bool nonblock_flag = (request.flags & O_NONBLOCK) != 0;
  if (!nonblock_flag) {
    // Before the Reply is where the engine finds it. A signal that comes before that is seen below.
    on_interrupt(waiting.reply, waiting.id);
  }
  Turn turn(*this);
  if (!capture_) {
    turn.done();
    waiting.reply.error(ENXIO);  // as Linux, when there's no capture (sound/core/oss/pcm_oss.c)
    return;
  }
  nonblock_flag_ = nonblock_flag;
  if (const auto started = capture_->start(turn.now()); !started) {
    turn.done();
    waiting.reply.error(started.error().code);
    return;
  }
  if (playback_) {
    // A file has one position, whose lock a read holds, so that another thread's write may have to wait for it: it's
    // answered within a fragment's time.
    waiting.enough = std::min<std::size_t>(request.size, capture_->fragments().size);
  }
  const std::uint64_t id = waiting.id;
  reads_.push_back(std::move(waiting));
  settle_reads(turn.now(), turn.outcome());
  const bool wait = !nonblock() && capture_->input_enabled();
  if (reads_.empty() || (wait && !reads_.back().reply.interrupted())) {
    return;
  }
  auto mine = device::take_out(reads_, id);
  turn.done();
  mine->answer(wait ? EINTR : EAGAIN);
}

void DspStream::write(const WriteRequest& request, Reply<Written> reply) {
  WaitingWrite waiting{next_id_.fetch_add(1), std::move(reply), request.data, 0};
  const bool nonblock_flag = (request.flags & O_NONBLOCK) != 0;
  if (!nonblock_flag) {
    on_interrupt(waiting.reply, waiting.id);
  }
  Turn turn(*this);
  if (!playback_) {
    turn.done();
    waiting.reply.error(ENXIO);
    return;
  }
  nonblock_flag_ = nonblock_flag;
  waiting.taken = writes_.empty() ? playback_->write(turn.now(), request.data) : 0;
  const bool interrupted = waiting.reply.interrupted();
  if (waiting.taken < request.data.size() && !nonblock() && playback_->output_enabled() && !interrupted) {
    writes_.push_back(std::move(waiting));
    return;
  }
  const int code = interrupted && !nonblock() ? EINTR : EAGAIN;
  turn.done();
  waiting.answer(code);
}

void DspStream::ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) {
  if (request.command == SNDCTL_DSP_SYNC) {
    wait_for_drain({next_id_.fetch_add(1), std::move(reply), std::nullopt});
    return;
  }
  if (leads_to_the_ring(request.command)) {
    prepare_ring();
  }
  CardFacts card = card_;
  if (rings_.any() && asked_at_open_) {
    card.mmap = granted() != nullptr;
  }
  Turn turn(*this);
  device::IoctlAnswer answer;
  if (request.command == SNDCTL_DSP_NONBLOCK) {
    nonblock_asked_ = true;
  } else {
    const DspHalves halves{playback_ ? &*playback_ : nullptr, capture_ ? &*capture_ : nullptr, levels_};
    answer = answer_ioctl(halves, card, card_levels_, turn.now(), request.command, request.input);
    apply_recording_level();
  }
  turn.done();
  device::give(answer, reply);
}

void DspStream::apply_recording_level() {
  if (capture_) {
    capture_->set_gain(gain_of(levels_.recording));
  }
}

StreamStatus DspStream::status() {
  Turn turn(*this);
  StreamStatus status{identity_.number, identity_.program, identity_.pid, identity_.device, {}, {}};
  if (playback_) {
    status.playback = status_of(*playback_, path_of(*playback_), playback_->unplayed(turn.now()), levels_.playback);
  }
  if (capture_) {
    status.recording = status_of(*capture_, path_of(*capture_), capture_->available(turn.now()), levels_.recording);
  }
  return status;
}

void DspStream::count_into(CardTotals& totals) {
  const MutexLock lock(lock_);
  if (playback_) {
    totals.underruns += playback_->counts().xruns;
    totals.slips += playback_->counts().slips;
  }
  if (capture_) {
    totals.overruns += capture_->counts().xruns;
    totals.slips += capture_->counts().slips;
  }
}

void DspStream::set_level(unsigned left, unsigned right) {
  const MutexLock lock(lock_);
  level() = {left, right, level().muted};
  apply_recording_level();
}

void DspStream::set_muted(bool muted) {
  const MutexLock lock(lock_);
  level().muted = muted;
  apply_recording_level();
}

std::uint32_t DspStream::events(Time now) {
  const bool in = capture_ && capture_->readable(now);
  const bool out = playback_ && playback_->writable(now);
  return (in ? kIn : 0) | (out ? kOut : 0);
}

std::uint32_t DspStream::poll(std::uint32_t asked) {
  Turn turn(*this);
  // As Linux: who waits for something to read wants it to be recorded.
  if (capture_ && (asked & kIn) != 0 && !capture_->start(turn.now())) {
    return POLLERR;
  }
  const std::uint32_t now_true = events(turn.now());
  awaited_ = (playback_ ? kOut : 0) | (capture_ ? kIn : 0);
  awaited_ &= ~now_true;
  return now_true & asked;
}

void DspStream::flush(const FlushRequest& /*request*/, Reply<Done> reply) {
  wait_for_drain({next_id_.fetch_add(1), std::nullopt, std::move(reply)});
}

void DspStream::wait_for_drain(WaitingDrain waiting) {
  const bool closing = waiting.close.has_value();
  on_interrupt(waiting.reply(), waiting.id);
  Turn turn(*this);
  close_waited_ = close_waited_ || closing;
  const bool busy = playback_ && playback_->drain(turn.now());
  if (busy && waiting.reply().interrupted()) {
    close_interrupted_ = close_interrupted_ || closing;
    turn.done();
    waiting.reply().error(EINTR);
    return;
  }
  if (busy && !(closing && nonblock())) {
    drains_.push_back(std::move(waiting));
    return;
  }
  turn.outcome().drained.push_back(std::move(waiting));
}

void DspStream::interrupted(std::uint64_t id) {
  std::optional<WaitingWrite> write;
  std::optional<WaitingRead> read;
  std::optional<WaitingDrain> drain;
  {
    const MutexLock lock(lock_);
    write = device::take_out(writes_, id);
    read = device::take_out(reads_, id);
    drain = device::take_out(drains_, id);
    close_interrupted_ = close_interrupted_ || (drain && drain->close);
  }
  if (write) {
    write->answer(EINTR);
  }
  if (read) {
    read->answer(EINTR);
  }
  if (drain) {
    drain->reply().error(EINTR);
  }
}

void DspStream::reset(Time now) {
  if (playback_) {
    playback_->reset(now);
  }
  if (capture_) {
    capture_->reset(now);
  }
}

void DspStream::released() {
  Turn turn(*this);
  // A program that doesn't wait expects that what it has written is heard all the same, and one that can't: a character
  // device has no FLUSH.
  const bool unheard = nonblock() || !close_waited_;
  const bool heard_out = playback_ && unheard && !close_interrupted_ && playback_->drain(turn.now());
  if (!heard_out) {
    reset(turn.now());
  } else if (capture_) {
    capture_->reset(turn.now());
  }
  released_ = true;
  turn.outcome().kick = true;
  give_up_waiting(turn.outcome());
}

void DspStream::give_up_waiting(Outcome& outcome) {
  std::move(writes_.begin(), writes_.end(), std::back_inserter(outcome.written));
  std::move(reads_.begin(), reads_.end(), std::back_inserter(outcome.read));
  writes_.clear();
  reads_.clear();
}

void DspStream::advance() {
  const Turn turn(*this);
}

std::optional<Time> DspStream::next_deadline() const {
  const auto one = playback_ ? playback_->deadline() : std::nullopt;
  const auto other = capture_ ? capture_->deadline() : std::nullopt;
  return one && other ? std::min(one, other) : one ? one : other;
}

std::optional<Time> DspStream::deadline() const {
  const MutexLock lock(lock_);
  return next_deadline();
}

std::vector<Chunk> DspStream::take() {
  const MutexLock lock(lock_);
  return playback_ ? playback_->take() : std::vector<Chunk>();
}

Gain DspStream::gain() const {
  const MutexLock lock(lock_);
  return gain_of(levels_.playback);
}

bool DspStream::finished() const {
  const MutexLock lock(lock_);
  return released_ && !playing();
}

void DspStream::end() {
  Turn turn(*this);
  reset(turn.now());
  ended_ = true;
  give_up_waiting(turn.outcome());
}

void DspStream::settle_writes(Time now, Outcome& outcome) {
  while (!writes_.empty()) {
    WaitingWrite& first = writes_.front();
    first.taken += playback_->write(now, first.data.subspan(first.taken));
    // Held output never makes room: what was taken is all that can be.
    if (first.taken < first.data.size() && playback_->output_enabled()) {
      break;
    }
    outcome.written.push_back(std::move(first));
    writes_.pop_front();
  }
}

void DspStream::settle_reads(Time now, Outcome& outcome) {
  while (!reads_.empty()) {
    WaitingRead& first = reads_.front();
    const std::size_t before = first.bytes.size();
    first.bytes.resize(first.size);
    first.bytes.resize(before + capture_->read(now, std::span(first.bytes).subspan(before)));
    if (first.bytes.size() < first.enough && capture_->input_enabled()) {
      capture_->set_wanted(first.enough - first.bytes.size());
      return;
    }
    outcome.read.push_back(std::move(first));
    reads_.pop_front();
  }
  if (capture_) {
    capture_->set_wanted(0);
  }
}

void DspStream::settle(Time now, Outcome& outcome) {
  settle_writes(now, outcome);
  settle_reads(now, outcome);
  if (!playback_ || !playback_->draining()) {
    std::move(drains_.begin(), drains_.end(), std::back_inserter(outcome.drained));
    drains_.clear();
  }
  if ((awaited_ & events(now)) != 0) {
    awaited_ = 0;
    outcome.wake = !released_;
  }
  note(outcome);
  const auto deadline = next_deadline();
  outcome.kick = outcome.kick || (deadline && (!deadline_seen_ || *deadline < *deadline_seen_));
  deadline_seen_ = deadline;
}

void DspStream::note(Outcome& outcome) {
  const bool over = released_ || ended_;
  if (playback_) {
    playback_log_.note(
        {playback_->format(), playback_->fragments(), path_of(*playback_), playback_->running(), playback_->counts()},
        over, outcome.lines);
  }
  // Who is recorded shows only when it has begun to read, or hasn't for a fragment's time.
  if (capture_) {
    const bool known = capture_->path() == CapturePath::read || capture_->recorded() > 0;
    capture_log_.note({capture_->format(), capture_->fragments(), path_of(*capture_), capture_->running() && known,
                       capture_->counts()},
                      over, outcome.lines);
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
  // EAGAIN: as Linux, while input or output is held.
  for (WaitingWrite& write : outcome.written) {
    write.answer(EAGAIN);
  }
  for (WaitingRead& read : outcome.read) {
    read.answer(EAGAIN);
  }
  for (WaitingDrain& drain : outcome.drained) {
    drain.answer();
  }
}

}  // namespace dmmap::sound
