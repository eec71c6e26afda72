// BufferQueue: the buffers of one open file and what becomes of them, as V4L2 has it
// (drivers/media/common/videobuf2: videobuf2-core.c, videobuf2-v4l2.c).
//
// A program has a buffer until it queues it (QBUF); then it's the server's until it's filled (capture) or read
// (output), and the program's again when it has taken it back (DQBUF). Between claim() and finish() somebody of the
// server's works on it, also when the queue is stopped meanwhile: quiet() says when that has ended.
//
// Promises: buffers lie at offsets of whole pages; the memory of freed ones is given again as late as possible, so that
// what a program still has mapped of them shows nobody's new pictures. Thread safety: as an int's; the stream's lock
// guards it.
#pragma once

#include <linux/videodev2.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "servers/camera/picture/picture.h"

namespace dmmap::camera {

class BufferQueue {
 public:
  static constexpr unsigned kMostBuffers = VIDEO_MAX_FRAME;

  /// `type` is V4L2_BUF_TYPE_VIDEO_CAPTURE or V4L2_BUF_TYPE_VIDEO_OUTPUT. Buffers lie in `space` bytes from `begin` on.
  BufferQueue(std::uint32_t type, std::uint64_t begin, std::uint64_t space);

  // All that return an int: an errno value, 0 when it's done. Each is the ioctl of its name.

  /// VIDIOC_REQBUFS: frees all there are, and makes `count` of `bytes` each; `count` becomes how many there are then.
  int request(unsigned& count, std::size_t bytes);
  /// VIDIOC_CREATE_BUFS: adds `count`, of which `first` is the index of the first.
  int create(unsigned& count, std::size_t bytes, unsigned& first);
  /// Fills in the buffer that `buffer.index` names.
  int query(v4l2_buffer& buffer) const;
  int prepare(v4l2_buffer& buffer);
  int queue(v4l2_buffer& buffer);
  /// EAGAIN when none is done.
  int dequeue(v4l2_buffer& buffer);
  int stream_on();
  int stream_off();

  [[nodiscard]] std::uint32_t type() const { return type_; }
  [[nodiscard]] bool output() const { return type_ == V4L2_BUF_TYPE_VIDEO_OUTPUT; }
  [[nodiscard]] bool allocated() const { return !buffers_.empty(); }
  [[nodiscard]] bool streaming() const { return streaming_; }
  /// Whether a dequeue() would give one, or fail for another reason than EAGAIN.
  [[nodiscard]] bool ready() const { return !streaming_ || !done_.empty(); }
  /// The events of poll(2) that are true.
  [[nodiscard]] std::uint32_t poll() const;

  /// A buffer that somebody of the server's works on.
  struct Claim {
    unsigned index = 0;
    std::uint64_t generation = 0;  // of the buffers, so that finish() knows whether they're still those
    std::uint64_t offset = 0;      ///< bytes into what is mapped
    std::size_t length = 0;        ///< bytes; of an output buffer, what it's filled with
    std::uint32_t sequence = 0;
  };
  /// The one that was queued first. Nothing when there's none, and then, while it streams, one picture is left out.
  [[nodiscard]] std::optional<Claim> claim();
  /// The picture's bytes, if it worked; it's shown to the program as broken otherwise.
  struct Filled {
    std::optional<std::size_t> bytes;
    Time time;
  };
  void finish(const Claim& claim, const Filled& filled);
  /// Whether nobody works on a buffer.
  [[nodiscard]] bool quiet() const { return claimed_ == 0; }

  /// Bytes of its place, and whether a buffer begins there and has so many. For mmap(2).
  [[nodiscard]] bool is_buffer(std::uint64_t offset, std::uint64_t length) const;
  void mapped(std::uint64_t offset);
  void unmapped(std::uint64_t offset);

  /// A run of bytes.
  struct Run {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };
  /// What the buffers that there are take, from that index on.
  [[nodiscard]] std::vector<Run> runs_from(unsigned first) const;
  /// What was freed since the last time.
  [[nodiscard]] std::vector<Run> take_freed() { return std::exchange(freed_, {}); }

  /// Pictures since the last STREAMON that there was no buffer for.
  [[nodiscard]] std::uint32_t dropped() const { return dropped_; }
  [[nodiscard]] std::uint32_t sequence() const { return sequence_; }
  /// How many there are, and how many of them wait to be filled or read.
  [[nodiscard]] unsigned count() const { return static_cast<unsigned>(buffers_.size()); }
  [[nodiscard]] unsigned queued() const { return static_cast<unsigned>(queued_.size()); }

 private:
  enum class State { dequeued, queued, claimed, cancelled, done };
  struct Buffer {
    State state = State::dequeued;
    Run run;
    std::size_t bytes_used = 0;
    std::uint32_t sequence = 0;
    std::uint32_t field = V4L2_FIELD_NONE;
    timeval timestamp{};
    v4l2_timecode timecode{};
    std::uint32_t kept_flags = 0;  // what an output's program said, for it to find again
    bool prepared = false;
    bool error = false;
    unsigned mappings = 0;
  };
  [[nodiscard]] int check(const v4l2_buffer& buffer) const;
  int take_over(Buffer& of, const v4l2_buffer& buffer);
  void tell(const Buffer& of, v4l2_buffer& buffer) const;
  [[nodiscard]] const Buffer* overlapped(const Run& run) const;
  [[nodiscard]] std::optional<Run> place(std::size_t bytes);
  int add(unsigned& count, std::size_t bytes);
  void free_all();

  const std::uint32_t type_;
  const std::uint64_t begin_;
  const std::uint64_t space_;
  std::uint64_t next_ = 0;  // bytes from begin_, where the next buffer is looked for
  std::vector<Buffer> buffers_;
  std::uint64_t generation_ = 0;
  std::deque<unsigned> queued_;
  std::deque<unsigned> done_;
  std::vector<Run> freed_;
  unsigned claimed_ = 0;
  bool streaming_ = false;
  bool waiting_for_buffers_ = true;  // nothing was queued since STREAMON
  std::uint32_t sequence_ = 0;
  std::uint32_t dropped_ = 0;
};

}  // namespace dmmap::camera
