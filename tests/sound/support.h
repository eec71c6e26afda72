// What the tests of the sound device share: time that stands still until a test moves it, memory in place of a region,
// and a sink that remembers.
#pragma once

#include <dmmap/region.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "servers/sound/mix/engine.h"
#include "servers/sound/stream/playback_stream.h"

namespace dmmap::sound::testing {

/// Time goes on when the test says so. Thread safety: one thread.
class SimulatedClock final : public Clock {
 public:
  [[nodiscard]] Time now() const override { return now_; }
  void advance(Nanoseconds by) { now_ += by; }
  void set(Time time) { now_ = time; }

 private:
  Time now_{std::chrono::hours(1)};
};

/// Plain memory. A client of it is simulated by bytes(). Thread safety: one thread at a time.
class MemoryRegion final : public Region {
 public:
  explicit MemoryRegion(std::size_t size) : memory_(size) {}
  [[nodiscard]] RegionId id() const override { return {1}; }
  [[nodiscard]] std::uint64_t size() const override { return memory_.size(); }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> to) const override;
  [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> from) override;
  [[nodiscard]] Result<void> discard(PageRange pages) override;
  [[nodiscard]] Result<void> revoke() override { return {}; }
  [[nodiscard]] bool in_use() const override { return true; }
  void on_idle(std::function<void()> /*callback*/) override {}
  [[nodiscard]] std::span<std::byte> bytes() { return memory_; }

 private:
  std::string name_ = "memory";
  std::vector<std::byte> memory_;
};

/// What a MemorySink got, which outlives the sink.
struct Heard {
  SinkFormat format;
  std::vector<std::int16_t> samples;
  bool started = false;
};

class MemorySink final : public Sink {
 public:
  explicit MemorySink(std::shared_ptr<Heard> heard) : heard_(std::move(heard)) {}
  Result<void> start(const SinkFormat& format) override;
  Result<void> write(std::span<const float> samples) override;
  Result<void> sync() override { return {}; }

 private:
  std::shared_ptr<Heard> heard_;
};

/// A PlaybackStream whose ring is looked after at once, as a device's is between locks.
class RingedStream final : public PlaybackStream {
 public:
  RingedStream(std::shared_ptr<MemoryRegion> ring, bool mappable)
      : PlaybackStream(ring->size(), mappable), ring_(std::move(ring)) {}
  /// Copies what is due out of the ring; to be called before what begins with advance().
  void copy(Time now);
  void prepare_ring();

  void set_format(Time now, const AudioFormat& wanted) { copied(now).set_format(now, wanted); }
  std::size_t write(Time now, std::span<const std::byte> bytes) { return copied(now).write(now, bytes); }
  void trigger(Time now, bool output) { copied(now).trigger(now, output); }
  void post(Time now) { copied(now).post(now); }
  void reset(Time now) { copied(now).reset(now); }
  bool drain(Time now) { return copied(now).drain(now); }
  [[nodiscard]] Position position(Time now) { return copied(now).position(now); }
  [[nodiscard]] std::uint64_t space(Time now) { return copied(now).space(now); }
  [[nodiscard]] std::uint64_t unplayed(Time now) { return copied(now).unplayed(now); }
  [[nodiscard]] bool writable(Time now) { return copied(now).writable(now); }
  void advance(Time now) { copied(now).advance(now); }

 private:
  PlaybackStream& copied(Time now) {
    copy(now);
    return *this;
  }
  std::shared_ptr<MemoryRegion> ring_;
};

/// A PlaybackStream as the engine takes it, without a device.
class TestSource final : public EngineStream {
 public:
  TestSource(const Clock& clock, std::size_t region_bytes)
      : region(std::make_shared<MemoryRegion>(region_bytes)), stream(region, true), clock_(clock) {}
  void advance() override { stream.advance(clock_.now()); }
  [[nodiscard]] std::optional<Time> deadline() const override { return stream.deadline(); }
  [[nodiscard]] std::vector<Chunk> take() override { return stream.take(); }
  [[nodiscard]] bool finished() const override { return closed && !stream.running(); }
  void end() override { stream.reset(clock_.now()); }

  std::shared_ptr<MemoryRegion> region;
  RingedStream stream;
  bool closed = false;

 private:
  const Clock& clock_;
};

/// An engine without its thread: time is simulated, and run_for() does all that would have been done.
class Stage {
 public:
  explicit Stage(MixFormat format = {});
  std::shared_ptr<TestSource> add(std::size_t region_bytes = std::size_t{1} << 20);
  /// Lets time pass. `at_each` is called whenever the engine has done something.
  void run_for(Nanoseconds time, const std::function<void()>& at_each = {});
  /// As run_for(), but the engine does nothing before the time is over, as if it had got no processor.
  void stall_for(Nanoseconds time);

  SimulatedClock clock;
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  std::vector<std::string> logged;
  Levels levels;
  Engine engine;
};

[[nodiscard]] std::vector<std::int16_t> noise(std::size_t samples, unsigned seed);
[[nodiscard]] std::vector<std::byte> bytes_of(std::span<const std::int16_t> samples);
[[nodiscard]] std::vector<std::int16_t> samples_of(std::span<const std::byte> bytes);
/// All bytes of the chunks.
[[nodiscard]] std::vector<std::byte> joined(const std::vector<Chunk>& chunks);
/// Without the zeros before and after.
[[nodiscard]] std::vector<std::int16_t> trimmed(const std::vector<std::int16_t>& samples);

constexpr AudioFormat kMono8000{Encoding::s16_le, 8000, 1};

}  // namespace dmmap::sound::testing
