// What VideoStream does with buffers, and with what its program puts in.
#include <dmmap/region.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "servers/camera/device/video_stream.h"
#include "servers/camera/picture/av.h"
#include "servers/camera/picture/converter.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace dmmap::camera {

using device::error;
using device::IoctlAnswer;
using device::stored;
using device::with;

namespace {

constexpr std::uint32_t kBufferAbilities = V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS;
constexpr std::size_t kMostBufferBytes = kBufferSpace / BufferQueue::kMostBuffers;
constexpr unsigned kMostWritten = 4;  // pictures; a write waits when nobody has been given so many

// What REQBUFS and CREATE_BUFS tell besides the buffers.
template <class T>
void say_abilities(T& answer) {
  answer.capabilities = kBufferAbilities;
  answer.flags = 0;
  std::fill(std::begin(answer.reserved), std::end(answer.reserved), 0);
}

}  // namespace

// An output buffer that's being shown; the program has it back when nobody holds this any more.
class VideoStream::Claimed {
 public:
  Claimed(std::shared_ptr<VideoStream> stream, const BufferQueue::Claim& claim, bool good)
      : stream_(std::move(stream)), claim_(claim), good_(good) {}
  Claimed(const Claimed&) = delete;
  Claimed& operator=(const Claimed&) = delete;
  ~Claimed() { stream_->read_out(claim_, good_); }
  void bad() { good_ = false; }

 private:
  const std::shared_ptr<VideoStream> stream_;
  const BufferQueue::Claim claim_;
  bool good_;
};

// A picture that was written.
class VideoStream::WrittenPicture {
 public:
  WrittenPicture(std::shared_ptr<VideoStream> stream, FrameWriter::Bytes bytes)
      : stream_(std::move(stream)), bytes_(std::move(bytes)) {}
  WrittenPicture(const WrittenPicture&) = delete;
  WrittenPicture& operator=(const WrittenPicture&) = delete;
  ~WrittenPicture() { stream_->written_done(); }
  [[nodiscard]] std::span<std::byte> bytes() const { return *bytes_; }

 private:
  const std::shared_ptr<VideoStream> stream_;
  const FrameWriter::Bytes bytes_;
};

BufferQueue* VideoStream::queue_of(std::uint32_t type) {
  if (type == V4L2_BUF_TYPE_VIDEO_CAPTURE) {
    return &capture_;
  }
  return type == V4L2_BUF_TYPE_VIDEO_OUTPUT && card_.producer != nullptr ? &output_ : nullptr;
}

const Layout& VideoStream::layout_of(const BufferQueue& queue) const {
  return queue.output() ? formats_.output : formats_.capture;
}

int VideoStream::commit(const std::vector<BufferQueue::Run>& runs) const {
  for (const BufferQueue::Run& run : runs) {
    if (!shared_) {
      return 0;  // a paged region's memory is the source's, which takes it as it's written
    }
    const auto bytes = shared_->bytes().subspan(run.offset, run.length);
    if (::madvise(bytes.data(), bytes.size(), MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {  // EINVAL: older kernels
      return ENOMEM;
    }
  }
  return 0;
}

int VideoStream::become_producer() {
  if (!card_.producer->take(this, {formats_.output.size, formats_.output_rate, formats_.output.format})) {
    return EBUSY;
  }
  producing_ = true;
  return 0;
}

std::optional<IoctlAnswer> VideoStream::buffer_ioctl(const IoctlRequest& request) {
  switch (request.command) {
    case VIDIOC_REQBUFS:
      return with<v4l2_requestbuffers>(request.input, [this](const auto& asked) { return request_buffers(asked); });
    case VIDIOC_CREATE_BUFS:
      return with<v4l2_create_buffers>(request.input, [this](const auto& asked) { return create_buffers(asked); });
    case VIDIOC_QBUF:
      return with<v4l2_buffer>(request.input, [this](const auto& asked) { return queue_buffer(asked); });
    case VIDIOC_STREAMON:
      return with<std::uint32_t>(request.input, [this](std::uint32_t type) { return stream_on(type); });
    case VIDIOC_QUERYBUF:
      return with<v4l2_buffer>(request.input, [this](const auto& asked) { return look_at_buffer(asked, false); });
    case VIDIOC_PREPARE_BUF:
      return with<v4l2_buffer>(request.input, [this](const auto& asked) { return look_at_buffer(asked, true); });
    default:
      return std::nullopt;
  }
}

IoctlAnswer VideoStream::look_at_buffer(v4l2_buffer asked, bool prepare) {
  const MutexLock lock(lock_);
  BufferQueue* const queue = queue_of(asked.type);
  if (queue == nullptr || reader_ || writer_) {
    return error(queue == nullptr ? EINVAL : EBUSY);
  }
  const int code = prepare ? queue->prepare(asked) : queue->query(asked);
  return code == 0 ? stored(asked) : error(code);
}

IoctlAnswer VideoStream::request_buffers(v4l2_requestbuffers asked) {
  Outcome outcome;
  std::vector<BufferQueue::Run> runs;
  int code = 0;
  unsigned count = asked.count;
  {
    const MutexLock lock(lock_);
    BufferQueue* const queue = queue_of(asked.type);
    if (queue == nullptr || asked.memory != V4L2_MEMORY_MMAP || !region_) {
      return error(EINVAL);
    }
    if (reader_ || writer_ || queue->streaming()) {
      return error(EBUSY);
    }
    if (queue->output() && count > 0 && become_producer() != 0) {
      return error(EBUSY);
    }
    code = queue->request(count, layout_of(*queue).bytes());
    outcome.freed = queue->take_freed();
    runs = queue->runs_from(0);
    if (queue->output() && asked.count == 0) {
      card_.producer->leave(this);  // while no other thread of the program's can have made buffers again
    }
  }
  carry_out(std::move(outcome));
  if (code == 0) {
    code = commit(runs);
    if (code != 0) {
      const MutexLock lock(lock_);
      unsigned none = 0;
      queue_of(asked.type)->request(none, 0);
    }
  }
  asked.count = count;
  say_abilities(asked);
  return code == 0 ? stored(asked) : error(code);
}

IoctlAnswer VideoStream::create_buffers(v4l2_create_buffers asked) {
  std::vector<BufferQueue::Run> runs;
  {
    const MutexLock lock(lock_);
    BufferQueue* const queue = queue_of(asked.format.type);
    if (queue == nullptr || asked.memory != V4L2_MEMORY_MMAP || !region_) {
      return error(EINVAL);
    }
    if (reader_ || writer_) {
      return error(EBUSY);
    }
    const std::size_t bytes = asked.format.fmt.pix.sizeimage;
    if (asked.count > 0 && (bytes < layout_of(*queue).bytes() || bytes > kMostBufferBytes)) {
      return error(EINVAL);
    }
    if (queue->output() && asked.count > 0 && become_producer() != 0) {
      return error(EBUSY);
    }
    unsigned count = asked.count;
    unsigned first = 0;
    if (const int code = queue->create(count, bytes, first); code != 0) {
      return error(code);
    }
    asked.count = count;
    asked.index = first;
    runs = queue->runs_from(first);
  }
  if (const int code = commit(runs); code != 0) {
    return error(code);
  }
  say_abilities(asked);
  return stored(asked);
}

IoctlAnswer VideoStream::queue_buffer(v4l2_buffer asked) {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    BufferQueue* const queue = queue_of(asked.type);
    if (queue == nullptr) {
      return error(EINVAL);
    }
    if (reader_ || writer_) {
      return error(EBUSY);
    }
    if (const int code = queue->queue(asked); code != 0) {
      return error(code);
    }
    if (queue->output()) {
      put_in(outcome);
    }
  }
  carry_out(std::move(outcome));
  return stored(asked);
}

IoctlAnswer VideoStream::stream_on(std::uint32_t type) {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    BufferQueue* const queue = queue_of(type);
    if (queue == nullptr) {
      return error(EINVAL);
    }
    if (reader_ || writer_) {
      return error(EBUSY);
    }
    const bool already = queue->streaming();
    if (const int code = queue->stream_on(); code != 0) {
      return error(code);
    }
    if (already) {
      return {};
    }
    const Rate& rate = queue->output() ? formats_.output_rate : formats_.capture_rate;
    outcome.lines.push_back(
        said(fmt::format("{} {} at {:.4g} fps, {} buffers", queue->output() ? "puts in" : "captures",
                         describe(layout_of(*queue)), rate.per_second(), queue->count())));
    if (queue->output()) {
      put_in(outcome);
    } else {
      ended_ = false;
      next_due_.reset();
      outcome.add = true;
    }
  }
  carry_out(std::move(outcome));
  return {};
}

void VideoStream::stream_off(std::uint32_t type, Reply<IoctlDone> reply) {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    BufferQueue* const queue = queue_of(type);
    if (queue == nullptr || reader_ || writer_) {
      outcome.refused.emplace_back(std::move(reply), queue == nullptr ? EINVAL : EBUSY);
    } else {
      queue->stream_off();
      outcome.remove = !queue->output();
      outcome.wake = true;
      stops_.push_back({std::move(reply), queue->output()});
      settle(outcome);
    }
  }
  carry_out(std::move(outcome));
}

void VideoStream::dequeue_buffer(const IoctlRequest& request, Reply<IoctlDone> reply) {
  const auto asked = device::input_as<v4l2_buffer>(request.input);
  if (!asked) {
    reply.error(EINVAL);
    return;
  }
  WaitingDequeue waiting{next_id_++, std::move(reply), *asked};
  on_interrupt(waiting.reply, waiting.id);
  Outcome outcome;
  // Whether it may wait is looked at where it matters alone, since it isn't for nothing, and without the lock.
  if (!take_dequeue(waiting, std::nullopt, outcome)) {
    take_dequeue(waiting, nonblocking(request), outcome);
  }
  carry_out(std::move(outcome));
}

bool VideoStream::take_dequeue(WaitingDequeue& waiting, std::optional<bool> must_not, Outcome& outcome) {
  const MutexLock lock(lock_);
  const BufferQueue* const queue = queue_of(waiting.buffer.type);
  const bool waits = queue != nullptr && !queue->ready() && !(ended_ && !queue->output());
  if (queue == nullptr || reader_ || writer_) {
    outcome.refused.emplace_back(std::move(waiting.reply), queue == nullptr ? EINVAL : EBUSY);
  } else if (waits && !must_not) {
    return false;
  } else if (waits && *must_not) {
    outcome.refused.emplace_back(std::move(waiting.reply), EAGAIN);
  } else if (waits && waiting.reply.interrupted()) {
    outcome.refused.emplace_back(std::move(waiting.reply), EINTR);
  } else {
    dequeues_.push_back(std::move(waiting));
    settle(outcome);
  }
  return true;
}

void VideoStream::put_in(Outcome& outcome) {
  while (const auto claim = output_.claim()) {
    const Layout layout = formats_.output;
    const Colours colours = colours_of(formats_.output_colours);
    const bool whole = claim->length >= layout.bytes();
    outcome.offer = true;
    auto claimed = std::make_shared<Claimed>(self(), *claim, whole);
    offers_.push_back([this, claimed, layout, colours, whole, offset = claim->offset]() -> Result<Picture> {
      if (!whole) {
        return fail(EPROTO, "a picture that isn't whole");
      }
      if (shared_) {
        return picture_at(layout, shared_->bytes().subspan(offset, layout.bytes()), claimed, colours);
      }
      const auto copy = std::make_shared<std::pair<std::vector<std::byte>, std::shared_ptr<Claimed>>>(
          std::vector<std::byte>(layout.bytes() + kRoomBehind), claimed);
      if (auto read = region_->read(offset, std::span(copy->first).first(layout.bytes())); !read) {
        claimed->bad();
        return tl::unexpected(read.error());
      }
      return picture_at(layout, copy->first, copy, colours);
    });
  }
}

void VideoStream::read_out(const BufferQueue::Claim& claim, bool good) {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    output_.finish(claim, {good ? std::optional(claim.length) : std::nullopt, Clock::now()});
    ++(good ? counts_.pictures : counts_.dropped);
    outcome.wake = true;
    settle(outcome);
  }
  carry_out(std::move(outcome));
}

void VideoStream::write(const WriteRequest& request, Reply<Written> reply) {
  WaitingWrite waiting{next_id_++, std::move(reply), request.data, 0};
  on_interrupt(waiting.reply, waiting.id);
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    int code = 0;
    if (card_.producer == nullptr) {
      code = EINVAL;
    } else if (!writer_) {
      code = idle() ? become_producer() : EBUSY;
    }
    const bool waits = written_ >= kMostWritten;
    if (code == 0 && waits && (request.flags & O_NONBLOCK) != 0) {
      code = EAGAIN;
    } else if (code == 0 && waits && waiting.reply.interrupted()) {
      code = EINTR;
    }
    if (code != 0) {
      outcome.refused.emplace_back(std::move(waiting.reply), code);
    } else {
      if (!writer_) {
        writer_.emplace(formats_.output.bytes());
        outcome.lines.push_back(said(fmt::format("puts in {} by write", describe(formats_.output))));
      }
      writes_.push_back(std::move(waiting));
      settle(outcome);
    }
  }
  carry_out(std::move(outcome));
}

void VideoStream::settle_writes(Outcome& outcome) {
  while (!writes_.empty() && writer_ && written_ < kMostWritten) {
    WaitingWrite& first = writes_.front();
    first.taken += writer_->take(first.data.subspan(first.taken));
    if (auto bytes = writer_->take_whole()) {
      ++counts_.pictures;
      if (card_.producer->looked_at()) {
        ++written_;
        outcome.offer = true;
        auto written = std::make_shared<WrittenPicture>(self(), std::move(bytes));
        offers_.push_back(
            [written, layout = formats_.output, colours = colours_of(formats_.output_colours)]() -> Result<Picture> {
              return picture_at(layout, written->bytes(), written, colours);
            });
      }
    }
    if (first.taken == first.data.size()) {
      outcome.writes.push_back(std::move(first));
      writes_.pop_front();
    }
  }
}

void VideoStream::written_done() {
  Outcome outcome;
  {
    const MutexLock lock(lock_);
    --written_;
    settle(outcome);
  }
  carry_out(std::move(outcome));
}

}  // namespace dmmap::camera
