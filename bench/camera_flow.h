// Flow: one program makes pictures, others get each of them, by the camera or by pipes, for a while; and what that
// cost.
//
// All are processes of their own. They work for a moment uncounted, and then for as long as is asked. REQUIRES: the
// process has one thread, since it forks.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "bench/shared_bytes.h"

namespace dmmap::bench {

struct FrameSize {
  unsigned width = 0;
  unsigned height = 0;
  /// In YUYV.
  [[nodiscard]] std::size_t bytes() const { return std::size_t{2} * width * height; }
};

/// Pictures in YUYV that were made before: a few that differ, shown one after the other.
class Frames {
 public:
  explicit Frames(FrameSize size);
  [[nodiscard]] FrameSize size() const { return size_; }
  /// Of the tick of that number.
  [[nodiscard]] std::span<std::byte> of(std::uint64_t tick) const;

 private:
  FrameSize size_;
  SharedBytes bytes_;
};

struct FlowWish {
  std::filesystem::path device;  ///< empty: by pipes
  pid_t server = 0;              ///< whose processor time counts too
  unsigned consumers = 1;
  double rate = 0;           ///< pictures a second; 0: as many as there's time for
  double seconds = 2;        ///< that are counted
  std::uint32_t format = 0;  ///< V4L2_PIX_FMT_ that is captured; 0: the pictures as they are
  FrameSize captured;        ///< and the size, where there's a format
  bool polls = false;        ///< consumers wait in poll(2), and not in the ioctl
};

/// What happened in the counted time.
struct FlowResult {
  double made = 0;          ///< pictures a second that the producer gave away
  double delivered = 0;     ///< pictures a second that each consumer got, by the mean
  double lost = 0;          ///< pictures that were due and that a consumer didn't get, of all consumers
  double no_room = 0;       ///< of these, those that the consumer's own sequence has a gap for (camera alone)
  double torn = 0;          ///< pictures whose end isn't the beginning's; there must be none
  double cpu = 0;           ///< microseconds of a processor for each delivered picture: of all
  double cpu_server = 0;    ///< of the server
  double cpu_producer = 0;  ///< of the producer
  double latency = 0;       ///< microseconds from where the picture exists to where the consumer has it: median
  double latency_99 = 0;    ///< and 99 in 100
};

/// Throws std::runtime_error when it can't be, and when a process of it ends too early.
[[nodiscard]] FlowResult flow(const Frames& frames, const FlowWish& wish);

/// Microseconds that copying a picture takes in memory, by the median.
[[nodiscard]] double copy_time(const Frames& frames);

/// Makes SIGINT and SIGTERM end a flow() with an exception, so that all is taken away as usual.
void end_on_signals();

}  // namespace dmmap::bench
