#include "servers/camera/device/video_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "servers/device/poll_events.h"
#include "servers/device/take_out.h"

namespace dmmap::camera {

using device::kIn;
using device::kOut;

namespace {

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

VideoStream::VideoStream(StreamIdentity identity, Card& card, std::shared_ptr<Region> region, LogSink log)
    : identity_(std::move(identity)),
      card_(card),
      region_(std::move(region)),
      shared_(std::dynamic_pointer_cast<SharedRegion>(region_)),
      log_(std::move(log)),
      flags_now_(card.file, identity_.inode),
      formats_(usual_formats(card.camera.about())),
      capture_(V4L2_BUF_TYPE_VIDEO_CAPTURE, 0, kBufferSpace),
      // Behind the last one there's room, as a Converter wants it.
      output_(V4L2_BUF_TYPE_VIDEO_OUTPUT, kBufferSpace, kBufferSpace - page_size()) {
  card_.priorities.set(this, V4L2_PRIORITY_DEFAULT);
}

std::shared_ptr<VideoStream> VideoStream::self() {
  return std::static_pointer_cast<VideoStream>(shared_from_this());
}

// "video0: stream 3: ffmpeg[1234] ..."
std::string VideoStream::said(const std::string& text) const {
  return fmt::format("{}: stream {}: {}[{}] {}", card_.file, identity_.number, identity_.program, identity_.pid, text);
}

Result<Grant> VideoStream::map(const MapRequest& request) {
  if (!region_) {
    return fail(ENODEV, "there's nothing to map");
  }
  if (request.moment == MapMoment::open) {
    return Grant{.region = region_};
  }
  const MutexLock lock(lock_);
  for (BufferQueue* const queue : {&capture_, &output_}) {
    if (queue->is_buffer(request.offset, request.length.value_or(0)) && request.shared.value_or(true)) {
      queue->mapped(request.offset);
      return Grant{.region = region_, .offset = request.offset, .may_grow = false, .may_become_writable = true};
    }
  }
  // As videobuf2-core.c's vb2_mmap().
  return fail(EINVAL, "no buffer is there, or it's shorter, or MAP_SHARED is missing");
}

void VideoStream::unmapped(const MapRequest& request, const Grant& /*grant*/) {
  const MutexLock lock(lock_);
  capture_.unmapped(request.offset);
  output_.unmapped(request.offset);
}

bool VideoStream::nonblocking(const Request& request) {
  return (flags_now_.of(request.caller.pid).value_or(identity_.flags) & O_NONBLOCK) != 0;
}

void VideoStream::ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) {
  if (needs_priority(request.command) && card_.priorities.of(this) < card_.priorities.highest()) {
    reply.error(EBUSY);
    return;
  }
  if (request.command == VIDIOC_DQBUF) {
    dequeue_buffer(request, std::move(reply));
    return;
  }
  if (request.command == VIDIOC_STREAMOFF) {
    stream_off(device::input_as<std::uint32_t>(request.input).value_or(0), std::move(reply));
    return;
  }
  if (request.command == VIDIOC_DQEVENT) {
    dequeue_event(request, std::move(reply));
    return;
  }
  auto answer = buffer_ioctl(request);
  answer = answer ? answer : event_ioctl(request);
  answer = answer ? answer : control_ioctl(request);
  if (!answer) {
    const MutexLock lock(lock_);
    const OpenDevice open{card_, formats_, this, capture_.allocated() || reader_, output_.allocated() || writer_};
    answer = answer_card_ioctl(open, request.command, request.input);
  }
  device::give(answer.value_or(device::error(ENOTTY)), reply);
}

std::optional<Target> VideoStream::claim(Time taken) {
  const MutexLock lock(lock_);
  if ((!capture_.streaming() && !reader_) || !due(taken)) {
    return std::nullopt;
  }
  Target target{.layout = formats_.capture, .region = nullptr, .offset = 0, .bytes = {}};
  if (reader_) {
    target.bytes = reader_->claim();
    counts_.dropped += target.bytes.empty() ? 1U : 0U;
    return target.bytes.empty() ? std::nullopt : std::optional(target);
  }
  claimed_ = capture_.claim();
  if (!claimed_) {
    ++counts_.dropped;
    return std::nullopt;
  }
  target.offset = claimed_->offset;
  if (shared_) {
    target.bytes = shared_->bytes().subspan(claimed_->offset, claimed_->length);
  } else {
    target.region = region_;
  }
  return target;
}

bool VideoStream::due(Time taken) {
  const Rate source = card_.camera.about().rate;
  if (formats_.capture_rate.period() <= source.period()) {
    return true;
  }
  // The nearest of the source's pictures to each moment of its own rate.
  if (next_due_ && taken + source.period() / 2 < *next_due_) {
    return false;
  }
  const auto period = formats_.capture_rate.period();
  const bool late = !next_due_ || taken - *next_due_ > period;
  next_due_ = (late ? taken : *next_due_) + period;
  return true;
}

void VideoStream::filled(std::optional<std::size_t> bytes, Time taken) {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    if (claimed_) {
      capture_.finish(*claimed_, {bytes, taken});
      claimed_.reset();
    } else if (reader_) {
      reader_->finish(bytes);
    }
    if (bytes) {
      const double latency = milliseconds(Clock::now() - taken);
      ++counts_.pictures;
      counts_.latency_mean += (latency - counts_.latency_mean) / static_cast<double>(counts_.pictures);
      counts_.latency_most = std::max(counts_.latency_most, latency);
    } else {
      ++counts_.dropped;
    }
    outcome.wake = true;
    settle(outcome);
  }
  carry_out(std::move(outcome));
}

void VideoStream::ended() {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    ended_ = true;
    outcome.wake = true;
    settle(outcome);
  }
  carry_out(std::move(outcome));
}

bool VideoStream::idle() const {
  return !capture_.allocated() && !output_.allocated() && !reader_ && !writer_;
}

void VideoStream::begin_reading(Outcome& outcome) {
  reader_.emplace(formats_.capture.bytes());
  ended_ = false;
  outcome.add = true;
  outcome.lines.push_back(said(fmt::format("captures {} by read", describe(formats_.capture))));
}

void VideoStream::read(const ReadRequest& request, Reply<Data> reply) {
  WaitingRead waiting{next_id_++, std::move(reply), request.size};
  // Before the Reply is where others find it. A signal that comes before that is seen below.
  on_interrupt(waiting.reply, waiting.id);
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    const bool by_buffers = !reader_ && !idle();
    if (!reader_ && !by_buffers) {
      begin_reading(outcome);
    }
    const bool waits = reader_ && !reader_->ready() && !ended_;
    if (by_buffers) {
      outcome.refused.emplace_back(std::move(waiting.reply), EBUSY);
    } else if (waits && (request.flags & O_NONBLOCK) != 0) {
      outcome.refused.emplace_back(std::move(waiting.reply), EAGAIN);
    } else if (waits && waiting.reply.interrupted()) {
      outcome.refused.emplace_back(std::move(waiting.reply), EINTR);
    } else {
      reads_.push_back(std::move(waiting));
      settle(outcome);
    }
  }
  carry_out(std::move(outcome));
}

void VideoStream::on_interrupt(ReplyBase& reply, std::uint64_t id) {
  reply.on_interrupt([weak = weak_from_this(), id] {
    if (const auto stream = weak.lock()) {
      static_cast<VideoStream&>(*stream).interrupted(id);
    }
  });
}

std::uint32_t VideoStream::poll(std::uint32_t events) {
  Outcome outcome;
  std::uint32_t now = 0;
  {
    const MutexLock lock(lock_);
    // Who waits for pictures without having buffers will read them (videobuf2-core.c, vb2_core_poll).
    if (idle() && (events & kIn) != 0) {
      begin_reading(outcome);
    }
    // As videobuf2-core.c's vb2_core_poll(): who doesn't ask about pictures isn't told that there'll be none.
    const bool in = (events & kIn) != 0;
    const bool out = (events & kOut) != 0;
    if (reader_) {
      now |= reader_->ready() || ended_ ? kIn : 0;
    } else if (in && capture_.allocated()) {
      // What has been filled can still be had when there'll be no more.
      now |= capture_.poll();
      now |= ended_ && (now & kIn) == 0 ? kIn | POLLERR : 0;
    }
    if (out && output_.allocated()) {
      now |= output_.poll();
    } else if (card_.producer != nullptr && !output_.allocated() && !capture_.allocated() && !reader_) {
      now |= kOut;  // a write waits for no more than a picture
    }
    if (now == 0 && idle() && (in || out)) {
      now = POLLERR;
    }
    now |= events_.any() ? std::uint32_t{POLLPRI} : 0U;
  }
  carry_out(std::move(outcome));
  return now & (events | POLLERR);
}

void VideoStream::released() {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    outcome.remove = true;
    capture_.stream_off();
    output_.stream_off();
    unsigned none = 0;
    capture_.request(none, 0);
    output_.request(none, 0);
    if (writer_ && writer_->part() > 0) {
      outcome.lines.push_back(said(
          fmt::format("left a picture that isn't whole: {} of {} bytes", writer_->part(), formats_.output.bytes())));
    }
    if (counts_.pictures + counts_.dropped > 0) {
      outcome.lines.push_back(said(fmt::format("{} {} pictures, {} dropped", producing_ ? "has put in" : "has captured",
                                               counts_.pictures, counts_.dropped)));
    }
    settle(outcome);
  }
  card_.priorities.leave(this);
  card_.listeners.leave(this);
  if (card_.producer != nullptr) {
    card_.producer->leave(this);
  }
  carry_out(std::move(outcome));
}

void VideoStream::interrupted(std::uint64_t id) {
  std::optional<WaitingDequeue> dequeue;
  std::optional<WaitingEvent> event;
  std::optional<WaitingRead> read;
  std::optional<WaitingWrite> write;
  {
    const MutexLock lock(lock_);
    dequeue = device::take_out(dequeues_, id);
    event = device::take_out(event_waits_, id);
    read = device::take_out(reads_, id);
    write = device::take_out(writes_, id);
  }
  if (dequeue) {
    dequeue->reply.error(EINTR);
  }
  if (event) {
    event->reply.error(EINTR);
  }
  if (read) {
    read->reply.error(EINTR);
  }
  if (write && write->taken > 0) {
    write->reply.ok({static_cast<std::uint32_t>(write->taken)});
  } else if (write) {
    write->reply.error(EINTR);
  }
}

void VideoStream::settle(Outcome& outcome) {
  for (auto each = dequeues_.begin(); each != dequeues_.end();) {
    BufferQueue* const queue = queue_of(each->buffer.type);
    int code = queue->dequeue(each->buffer);
    if (code == EAGAIN && ended_ && !queue->output()) {
      code = EIO;
    }
    if (code == EAGAIN) {
      ++each;
      continue;
    }
    outcome.ioctls.emplace_back(std::move(each->reply), code == 0 ? device::stored(each->buffer) : device::error(code));
    each = dequeues_.erase(each);
  }
  for (auto each = stops_.begin(); each != stops_.end();) {
    if ((each->output ? output_ : capture_).quiet()) {
      outcome.ioctls.emplace_back(std::move(each->reply), device::IoctlAnswer{});
      each = stops_.erase(each);
    } else {
      ++each;
    }
  }
  while (!reads_.empty() && reader_ && (reader_->ready() || ended_)) {
    std::vector<std::byte> bytes = reader_->ready() ? reader_->take(reads_.front().size) : std::vector<std::byte>();
    outcome.reads.emplace_back(std::move(reads_.front()), std::move(bytes));
    reads_.pop_front();
  }
  settle_writes(outcome);
  settle_events(outcome);
}

void VideoStream::carry_out(Outcome outcome) {
  for (const std::string& line : outcome.lines) {
    log_(LogLevel::info, line);
  }
  if (outcome.add) {
    card_.camera.add(self());
  }
  if (outcome.remove) {
    card_.camera.remove(*this);
  }
  for (const BufferQueue::Run& run : outcome.freed) {
    const PageRange pages{run.offset / page_size(), run.length / page_size()};
    // Its pages are taken back sooner or later; if they can't be, they're taken back with the region.
    if (shared_) {
      static_cast<void>(shared_->discard(pages));
    } else if (const auto paged = std::dynamic_pointer_cast<PagedRegion>(region_)) {
      static_cast<void>(paged->discard_later(pages));
    }
  }
  if (outcome.offer) {
    offer_all();
  }
  for (auto& [reply, answer] : outcome.ioctls) {
    device::give(answer, reply);
  }
  for (auto& [waiting, bytes] : outcome.reads) {
    waiting.reply.ok({bytes});
  }
  for (auto& [reply, code] : outcome.refused) {
    reply.error(code);
  }
  for (WaitingWrite& each : outcome.writes) {
    each.reply.ok({static_cast<std::uint32_t>(each.taken)});
  }
  if (outcome.wake) {
    wake_pollers();
  }
}

void VideoStream::offer_all() {
  // One that nobody looks at is let go of by the offer, which leads here again.
  for (;;) {
    ProducerSource::Offer next;
    {
      const MutexLock lock(lock_);
      if (offering_ || offers_.empty()) {
        return;
      }
      offering_ = true;
      next = std::move(offers_.front());
      offers_.pop_front();
    }
    card_.producer->offer(std::move(next));
    const MutexLock lock(lock_);
    offering_ = false;
  }
}

StreamStatus VideoStream::status() const {
  const MutexLock lock(lock_);
  const bool captures = capture_.streaming() || reader_;
  const bool puts_in = output_.streaming() || writer_;
  const Layout& layout = puts_in ? formats_.output : formats_.capture;
  const Rate& rate = puts_in ? formats_.output_rate : formats_.capture_rate;
  const BufferQueue& queue = puts_in ? output_ : capture_;
  StreamStatus status{.number = identity_.number,
                      .program = identity_.program,
                      .pid = identity_.pid,
                      .device = card_.file,
                      .state = captures ? "captures" : (puts_in ? "puts in" : "idle"),
                      .path = {},
                      .format = layout.format->name,
                      .width = layout.size.width,
                      .height = layout.size.height,
                      .rate = rate.per_second(),
                      .buffers = queue.count(),
                      .queued = queue.queued(),
                      .counts = counts_};
  if (captures || puts_in) {
    status.path = reader_ ? "read" : (writer_ ? "write" : "mmap");
  }
  return status;
}

}  // namespace dmmap::camera
