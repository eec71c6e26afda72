// The programs of a Flow: who makes pictures, who gets them. Each is a whole process, which ends by being killed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/camera_flow.h"

namespace dmmap::bench {

inline constexpr unsigned kMostConsumers = 16;
inline constexpr std::size_t kMostSamples = std::size_t{1} << 16U;

/// What a consumer has seen in the counted time.
struct Seen {
  std::atomic<std::uint64_t> pictures;
  std::atomic<std::uint64_t> lost;
  std::atomic<std::uint64_t> no_room;
  std::atomic<std::uint64_t> torn;
  std::array<float, kMostSamples> latencies{};  ///< microseconds; of the first so many
};

/// What all the processes share. Times are CLOCK_MONOTONIC's nanoseconds.
struct FlowState {
  std::atomic<unsigned> ready;
  std::atomic<std::int64_t> begin;  ///< 0: nothing is to be made yet
  std::atomic<std::int64_t> end;
  std::atomic<std::uint64_t> made;
  std::array<Seen, kMostConsumers> seen;
};

[[nodiscard]] std::int64_t nanoseconds_now();

void produce_by_camera(FlowState& state, const Frames& frames, const FlowWish& wish);
/// `pipes`: where to write each picture.
void produce_by_pipes(FlowState& state, const Frames& frames, const FlowWish& wish, const std::vector<int>& pipes);
void consume_by_camera(FlowState& state, Seen& seen, const FlowWish& wish, FrameSize size);
void consume_by_pipe(FlowState& state, Seen& seen, const FlowWish& wish, FrameSize size, int pipe);

}  // namespace dmmap::bench
