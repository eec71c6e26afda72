// VideoStream: one open video device, as its clients' system calls find it.
//
// It captures, by buffers that are mapped (REQBUFS, QBUF, DQBUF) or by read(2), or puts pictures in, by buffers or by
// write(2); each open file has formats, a rate and buffers of its own.
//
// Promises: a call that waits is answered when there's something for it, and at once when the client gets a signal.
// STREAMOFF is answered when nobody of the server's works on a buffer any more. Nobody is called and nothing answered
// while the stream's lock is held.
//
// Thread safety: every call, from any thread: those of the session, and the camera's.
#pragma once

#include <dmmap/device.h>
#include <dmmap/log.h>
#include <dmmap/thread_safety.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "servers/camera/control/status.h"
#include "servers/camera/device/card.h"
#include "servers/camera/device/card_ioctls.h"
#include "servers/camera/device/control_events.h"
#include "servers/camera/device/frame_reader.h"
#include "servers/camera/device/frame_writer.h"
#include "servers/camera/engine/consumer.h"
#include "servers/camera/queue/buffer_queue.h"
#include "servers/device/client.h"
#include "servers/device/map_choice.h"

namespace dmmap::camera {

/// Who opened a device, and what it's called in the log.
struct StreamIdentity {
  std::uint64_t number = 0;
  std::string program;      ///< its comm (proc(5)); "?" where that can't be known
  std::uint32_t pid = 0;    ///< 0 from another pid namespace
  std::uint64_t inode = 0;  ///< st_ino of the device
  int flags = 0;            ///< open(2)'s
};

/// Bytes of a device's region in which buffers are, for each direction: 32 of the largest pictures. Offsets have 32
/// bits (struct v4l2_buffer), so there can't be more for both.
inline constexpr std::uint64_t kBufferSpace = std::uint64_t{1} << 31;

class VideoStream final : public Stream, public Consumer {
 public:
  /// `card` outlives it. `region` is what its clients map; null: nothing.
  VideoStream(StreamIdentity identity, Card& card, std::shared_ptr<Region> region, LogSink log);

  Result<Grant> map(const MapRequest& request) override DMMAP_EXCLUDES(lock_);
  void unmapped(const MapRequest& request, const Grant& grant) override DMMAP_EXCLUDES(lock_);
  void read(const ReadRequest& request, Reply<Data> reply) override DMMAP_EXCLUDES(lock_);
  void write(const WriteRequest& request, Reply<Written> reply) override DMMAP_EXCLUDES(lock_);
  void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) override DMMAP_EXCLUDES(lock_);
  std::uint32_t poll(std::uint32_t events) override DMMAP_EXCLUDES(lock_);
  void released() override DMMAP_EXCLUDES(lock_);

  std::optional<Target> claim(Time taken) override DMMAP_EXCLUDES(lock_);
  void filled(std::optional<std::size_t> bytes, Time taken) override DMMAP_EXCLUDES(lock_);
  void ended() override DMMAP_EXCLUDES(lock_);

  [[nodiscard]] StreamStatus status() const DMMAP_EXCLUDES(lock_);

 private:
  struct WaitingDequeue {
    std::uint64_t id = 0;
    Reply<IoctlDone> reply;
    v4l2_buffer buffer{};
  };
  struct WaitingEvent {
    std::uint64_t id = 0;
    Reply<IoctlDone> reply;
  };
  struct WaitingStop {
    Reply<IoctlDone> reply;
    bool output = false;
  };
  struct WaitingRead {
    std::uint64_t id = 0;
    Reply<Data> reply;
    std::size_t size = 0;
  };
  struct WaitingWrite {
    std::uint64_t id = 0;
    Reply<Written> reply;
    std::span<const std::byte> data;  ///< the request's, while it isn't answered
    std::size_t taken = 0;
  };
  /// What is to be done when the lock has been let go of.
  struct Outcome {
    std::vector<std::pair<Reply<IoctlDone>, device::IoctlAnswer>> ioctls;
    std::vector<std::pair<WaitingRead, std::vector<std::byte>>> reads;
    std::vector<WaitingWrite> writes;
    std::vector<std::pair<ReplyBase, int>> refused;
    std::vector<BufferQueue::Run> freed;
    std::vector<std::string> lines;
    bool wake = false;
    bool offer = false;  ///< what offers_ has
    bool add = false;
    bool remove = false;
  };
  class Claimed;
  class WrittenPicture;

  [[nodiscard]] BufferQueue* queue_of(std::uint32_t type) DMMAP_REQUIRES(lock_);
  [[nodiscard]] const Layout& layout_of(const BufferQueue& queue) const DMMAP_REQUIRES(lock_);
  /// Nothing: the ioctl isn't one about buffers.
  std::optional<device::IoctlAnswer> buffer_ioctl(const IoctlRequest& request) DMMAP_EXCLUDES(lock_);
  device::IoctlAnswer request_buffers(v4l2_requestbuffers asked) DMMAP_EXCLUDES(lock_);
  device::IoctlAnswer create_buffers(v4l2_create_buffers asked) DMMAP_EXCLUDES(lock_);
  /// QUERYBUF or PREPARE_BUF.
  device::IoctlAnswer look_at_buffer(v4l2_buffer asked, bool prepare) DMMAP_EXCLUDES(lock_);
  device::IoctlAnswer queue_buffer(v4l2_buffer asked) DMMAP_EXCLUDES(lock_);
  device::IoctlAnswer stream_on(std::uint32_t type) DMMAP_EXCLUDES(lock_);
  void stream_off(std::uint32_t type, Reply<IoctlDone> reply) DMMAP_EXCLUDES(lock_);
  void dequeue_buffer(const IoctlRequest& request, Reply<IoctlDone> reply) DMMAP_EXCLUDES(lock_);
  /// Takes over one that needn't wait, or is known to be allowed to or not. Whether it did.
  bool take_dequeue(WaitingDequeue& waiting, std::optional<bool> must_not, Outcome& outcome) DMMAP_EXCLUDES(lock_);
  /// Nothing: the ioctl isn't one about events.
  std::optional<device::IoctlAnswer> event_ioctl(const IoctlRequest& request) DMMAP_EXCLUDES(lock_);
  void dequeue_event(const IoctlRequest& request, Reply<IoctlDone> reply) DMMAP_EXCLUDES(lock_);
  void control_changed(std::uint32_t id, bool by_own) DMMAP_EXCLUDES(lock_);
  void settle_events(Outcome& outcome) DMMAP_REQUIRES(lock_);
  std::optional<device::IoctlAnswer> control_ioctl(const IoctlRequest& request);
  /// Takes the memory that buffers of a region need, so that later nobody is out of it.
  [[nodiscard]] int commit(const std::vector<BufferQueue::Run>& runs) const;
  [[nodiscard]] bool nonblocking(const Request& request);
  /// Whether this program may put pictures in now, an errno value.
  int become_producer() DMMAP_REQUIRES(lock_);
  void put_in(Outcome& outcome) DMMAP_REQUIRES(lock_);
  void read_out(const BufferQueue::Claim& claim, bool good) DMMAP_EXCLUDES(lock_);
  void written_done() DMMAP_EXCLUDES(lock_);
  void on_interrupt(ReplyBase& reply, std::uint64_t id);
  void interrupted(std::uint64_t id) DMMAP_EXCLUDES(lock_);
  void begin_reading(Outcome& outcome) DMMAP_REQUIRES(lock_);
  [[nodiscard]] bool idle() const DMMAP_REQUIRES(lock_);
  /// Whether the picture of that time is one that this program's rate has.
  [[nodiscard]] bool due(Time taken) DMMAP_REQUIRES(lock_);
  void settle(Outcome& outcome) DMMAP_REQUIRES(lock_);
  void settle_writes(Outcome& outcome) DMMAP_REQUIRES(lock_);
  void carry_out(Outcome outcome) DMMAP_EXCLUDES(lock_);
  /// One after the other, whichever thread they came of.
  void offer_all() DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::shared_ptr<VideoStream> self();
  [[nodiscard]] std::string said(const std::string& text) const;

  const StreamIdentity identity_;
  Card& card_;
  const std::shared_ptr<Region> region_;
  const std::shared_ptr<SharedRegion> shared_;  // the same, where it's memory
  const LogSink log_;
  std::atomic<std::uint64_t> next_id_{1};
  device::StatusFlags flags_now_;

  mutable Mutex lock_;
  OpenFormats formats_ DMMAP_GUARDED_BY(lock_);
  BufferQueue capture_ DMMAP_GUARDED_BY(lock_);
  BufferQueue output_ DMMAP_GUARDED_BY(lock_);
  std::optional<FrameReader> reader_ DMMAP_GUARDED_BY(lock_);
  std::optional<FrameWriter> writer_ DMMAP_GUARDED_BY(lock_);
  std::optional<BufferQueue::Claim> claimed_ DMMAP_GUARDED_BY(lock_);  // what the camera fills
  std::deque<WaitingDequeue> dequeues_ DMMAP_GUARDED_BY(lock_);
  std::deque<WaitingEvent> event_waits_ DMMAP_GUARDED_BY(lock_);
  ControlEvents events_ DMMAP_GUARDED_BY(lock_);
  std::vector<WaitingStop> stops_ DMMAP_GUARDED_BY(lock_);
  std::deque<WaitingRead> reads_ DMMAP_GUARDED_BY(lock_);
  std::deque<WaitingWrite> writes_ DMMAP_GUARDED_BY(lock_);
  unsigned written_ DMMAP_GUARDED_BY(lock_) = 0;  // pictures of writes that nobody has been given yet
  std::deque<ProducerSource::Offer> offers_ DMMAP_GUARDED_BY(lock_);  // in the order of the pictures
  bool offering_ DMMAP_GUARDED_BY(lock_) = false;                     // a thread is at it
  std::optional<Time> next_due_ DMMAP_GUARDED_BY(lock_);
  bool ended_ DMMAP_GUARDED_BY(lock_) = false;  // no more pictures will come
  bool producing_ DMMAP_GUARDED_BY(lock_) = false;
  StreamCounts counts_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::camera
