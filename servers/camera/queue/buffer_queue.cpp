#include "servers/camera/queue/buffer_queue.h"

#include <dmmap/region.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "servers/device/poll_events.h"

namespace dmmap::camera {

using device::kIn;
using device::kOut;

namespace {

// What the server says of a buffer; the rest a program may say of what it queues for output.
constexpr std::uint32_t kOfProgram = V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME | V4L2_BUF_FLAG_BFRAME |
                                     V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_TSTAMP_SRC_MASK;

timeval timeval_of(Time time) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  constexpr std::int64_t kMicrosOfSecond = 1'000'000;
  return {.tv_sec = micros / kMicrosOfSecond, .tv_usec = micros % kMicrosOfSecond};
}

std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + page_size() - 1) / page_size() * page_size();
}

}  // namespace

BufferQueue::BufferQueue(std::uint32_t type, std::uint64_t begin, std::uint64_t space)
    : type_(type), begin_(begin), space_(space) {}

const BufferQueue::Buffer* BufferQueue::overlapped(const Run& run) const {
  const auto found = std::find_if(buffers_.begin(), buffers_.end(), [&](const Buffer& each) {
    return run.offset < each.run.offset + each.run.length && each.run.offset < run.offset + run.length;
  });
  return found == buffers_.end() ? nullptr : &*found;
}

std::optional<BufferQueue::Run> BufferQueue::place(std::size_t bytes) {
  if (bytes > space_) {
    return std::nullopt;
  }
  const std::uint64_t length = whole_pages(bytes);
  // The buffers there are may lie in the way, each of them once.
  for (std::size_t attempt = 0; attempt <= buffers_.size() + 1; ++attempt) {
    if (length > space_) {
      break;
    }
    if (length > space_ - next_) {
      next_ = 0;
    }
    const Run run{begin_ + next_, length};
    const Buffer* const other = overlapped(run);
    if (other == nullptr) {
      next_ += length;
      return run;
    }
    next_ = other->run.offset - begin_ + other->run.length;
  }
  return std::nullopt;
}

int BufferQueue::add(unsigned& count, std::size_t bytes) {
  unsigned added = 0;
  for (; added < count && buffers_.size() < kMostBuffers; ++added) {
    const auto run = place(bytes);
    if (!run) {
      break;
    }
    buffers_.push_back({.run = *run});
  }
  count = added;
  return added > 0 ? 0 : ENOMEM;
}

void BufferQueue::free_all() {
  for (const Buffer& each : buffers_) {
    freed_.push_back(each.run);
  }
  buffers_.clear();
  queued_.clear();
  done_.clear();
  ++generation_;
}

int BufferQueue::request(unsigned& count, std::size_t bytes) {
  if (streaming_) {
    return EBUSY;
  }
  free_all();
  waiting_for_buffers_ = true;
  return count == 0 ? 0 : add(count, bytes);
}

int BufferQueue::create(unsigned& count, std::size_t bytes, unsigned& first) {
  first = static_cast<unsigned>(buffers_.size());
  if (count == 0) {
    return 0;
  }
  return buffers_.size() == kMostBuffers ? ENOBUFS : add(count, bytes);
}

int BufferQueue::check(const v4l2_buffer& buffer) const {
  return buffer.type == type_ && buffer.index < buffers_.size() ? 0 : EINVAL;
}

void BufferQueue::tell(const Buffer& of, v4l2_buffer& buffer) const {
  const std::uint32_t index = buffer.index;
  buffer = {};
  buffer.index = index;
  buffer.type = type_;
  buffer.memory = V4L2_MEMORY_MMAP;
  buffer.bytesused = static_cast<std::uint32_t>(of.bytes_used);
  buffer.field = of.field;
  buffer.timestamp = of.timestamp;
  buffer.timecode = of.timecode;
  buffer.sequence = of.sequence;
  buffer.m.offset = static_cast<std::uint32_t>(of.run.offset);
  buffer.length = static_cast<std::uint32_t>(of.run.length);
  buffer.flags = of.kept_flags | (output() ? V4L2_BUF_FLAG_TIMESTAMP_COPY : V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
  buffer.flags |= of.mappings > 0 ? V4L2_BUF_FLAG_MAPPED : 0U;
  buffer.flags |= of.prepared ? V4L2_BUF_FLAG_PREPARED : 0U;
  buffer.flags |= of.error ? V4L2_BUF_FLAG_ERROR : 0U;
  switch (of.state) {
    case State::queued:
    case State::claimed:
      buffer.flags |= V4L2_BUF_FLAG_QUEUED;
      break;
    case State::done:
      buffer.flags |= V4L2_BUF_FLAG_DONE;
      break;
    case State::dequeued:
    case State::cancelled:
      break;
  }
}

int BufferQueue::query(v4l2_buffer& buffer) const {
  if (const int wrong = check(buffer); wrong != 0) {
    return wrong;
  }
  tell(buffers_[buffer.index], buffer);
  return 0;
}

// What QBUF and PREPARE_BUF have in common: the program says what it has put into it.
int BufferQueue::take_over(Buffer& of, const v4l2_buffer& buffer) {
  if (output()) {
    if (buffer.bytesused > of.run.length || buffer.field == V4L2_FIELD_ALTERNATE) {
      return EINVAL;
    }
    // 0 means all of it, to programs that don't say.
    of.bytes_used = buffer.bytesused == 0 ? of.run.length : buffer.bytesused;
    of.field = buffer.field == V4L2_FIELD_ANY ? static_cast<std::uint32_t>(V4L2_FIELD_NONE) : buffer.field;
    of.timestamp = buffer.timestamp;
    of.timecode = (buffer.flags & V4L2_BUF_FLAG_TIMECODE) != 0 ? buffer.timecode : v4l2_timecode{};
    of.kept_flags = buffer.flags & kOfProgram;
  } else {
    of.bytes_used = 0;
    of.field = V4L2_FIELD_NONE;
    of.timestamp = {};
  }
  of.error = false;
  return 0;
}

int BufferQueue::prepare(v4l2_buffer& buffer) {
  if (const int wrong = check(buffer); wrong != 0) {
    return wrong;
  }
  Buffer& of = buffers_[buffer.index];
  if (buffer.memory != V4L2_MEMORY_MMAP || of.state != State::dequeued || of.prepared ||
      (buffer.flags & V4L2_BUF_FLAG_REQUEST_FD) != 0) {
    return EINVAL;
  }
  if (const int wrong = take_over(of, buffer); wrong != 0) {
    return wrong;
  }
  of.prepared = true;
  tell(of, buffer);
  return 0;
}

int BufferQueue::queue(v4l2_buffer& buffer) {
  if (const int wrong = check(buffer); wrong != 0) {
    return wrong;
  }
  Buffer& of = buffers_[buffer.index];
  if (buffer.memory != V4L2_MEMORY_MMAP || of.state != State::dequeued) {
    return EINVAL;
  }
  if ((buffer.flags & V4L2_BUF_FLAG_REQUEST_FD) != 0) {
    return EBADR;  // no requests here, as videobuf2 says it
  }
  if (!of.prepared) {
    if (const int wrong = take_over(of, buffer); wrong != 0) {
      return wrong;
    }
  } else if (output()) {
    of.timestamp = buffer.timestamp;
  }
  of.prepared = false;
  of.state = State::queued;
  of.sequence = 0;
  queued_.push_back(buffer.index);
  waiting_for_buffers_ = false;
  tell(of, buffer);
  return 0;
}

int BufferQueue::dequeue(v4l2_buffer& buffer) {
  if (buffer.type != type_ || !streaming_) {
    return EINVAL;
  }
  if (done_.empty()) {
    return EAGAIN;
  }
  buffer.index = done_.front();
  done_.pop_front();
  Buffer& of = buffers_[buffer.index];
  of.state = State::dequeued;
  tell(of, buffer);
  return 0;
}

int BufferQueue::stream_on() {
  if (streaming_) {
    return 0;
  }
  if (buffers_.empty()) {
    return EINVAL;
  }
  streaming_ = true;
  sequence_ = 0;
  dropped_ = 0;
  waiting_for_buffers_ = queued_.empty();
  return 0;
}

int BufferQueue::stream_off() {
  streaming_ = false;
  waiting_for_buffers_ = true;
  queued_.clear();
  done_.clear();
  for (Buffer& each : buffers_) {
    each.state = each.state == State::claimed || each.state == State::cancelled ? State::cancelled : State::dequeued;
    each.prepared = false;
  }
  return 0;
}

std::uint32_t BufferQueue::poll() const {
  if (!streaming_ || (!output() && waiting_for_buffers_)) {
    return POLLERR;
  }
  if (done_.empty()) {
    return 0;
  }
  return output() ? kOut : kIn;
}

std::optional<BufferQueue::Claim> BufferQueue::claim() {
  if (!streaming_) {
    return std::nullopt;
  }
  if (queued_.empty()) {
    if (!output()) {
      ++sequence_;
      ++dropped_;
    }
    return std::nullopt;
  }
  const unsigned index = queued_.front();
  queued_.pop_front();
  Buffer& of = buffers_[index];
  of.state = State::claimed;
  of.sequence = sequence_++;
  ++claimed_;
  const std::size_t length = output() ? of.bytes_used : static_cast<std::size_t>(of.run.length);
  return Claim{index, generation_, of.run.offset, length, of.sequence};
}

void BufferQueue::finish(const Claim& claim, const Filled& filled) {
  --claimed_;
  if (claim.generation != generation_) {
    return;
  }
  Buffer& of = buffers_[claim.index];
  if (of.state == State::cancelled) {
    of.state = State::dequeued;
    return;
  }
  of.state = State::done;
  of.error = !filled.bytes;
  if (!output()) {
    of.bytes_used = filled.bytes.value_or(0);
    of.timestamp = timeval_of(filled.time);
  }
  done_.push_back(claim.index);
}

bool BufferQueue::is_buffer(std::uint64_t offset, std::uint64_t length) const {
  return std::any_of(buffers_.begin(), buffers_.end(), [&](const Buffer& each) {
    return each.run.offset == offset && length > 0 && length <= each.run.length;
  });
}

void BufferQueue::mapped(std::uint64_t offset) {
  for (Buffer& each : buffers_) {
    each.mappings += each.run.offset == offset ? 1 : 0;
  }
}

void BufferQueue::unmapped(std::uint64_t offset) {
  for (Buffer& each : buffers_) {
    each.mappings -= each.run.offset == offset && each.mappings > 0 ? 1 : 0;
  }
}

std::vector<BufferQueue::Run> BufferQueue::runs_from(unsigned first) const {
  std::vector<Run> runs;
  for (std::size_t i = first; i < buffers_.size(); ++i) {
    runs.push_back(buffers_[i].run);
  }
  return runs;
}

}  // namespace dmmap::camera
