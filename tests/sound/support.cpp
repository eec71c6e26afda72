#include "sound/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>

namespace dmmap::sound::testing {

Result<void> MemoryRegion::read(std::uint64_t offset, std::span<std::byte> to) const {
  if (offset > memory_.size() || to.size() > memory_.size() - offset) {
    return fail(ERANGE, "outside of the region");
  }
  std::copy_n(memory_.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
  return {};
}

Result<void> MemoryRegion::write(std::uint64_t offset, std::span<const std::byte> from) {
  if (offset > memory_.size() || from.size() > memory_.size() - offset) {
    return fail(ERANGE, "outside of the region");
  }
  std::copy(from.begin(), from.end(), memory_.begin() + static_cast<std::ptrdiff_t>(offset));
  return {};
}

Result<void> MemoryRegion::discard(PageRange pages) {
  const std::uint64_t first = pages.first * kPageSize;
  const std::uint64_t count = pages.count * kPageSize;
  if (first > memory_.size() || count > memory_.size() - first) {
    return fail(ERANGE, "outside of the region");
  }
  std::fill_n(memory_.begin() + static_cast<std::ptrdiff_t>(first), count, std::byte{0});
  return {};
}

Result<void> MemorySink::start(const SinkFormat& format) {
  heard_->format = format;
  heard_->started = true;
  return {};
}

Result<void> MemorySink::write(std::span<const float> samples) {
  std::transform(samples.begin(), samples.end(), std::back_inserter(heard_->samples), to_s16);
  return {};
}

Stage::Stage(MixFormat format)
    : engine(clock,
             std::make_unique<Mixer>(std::make_unique<MemorySink>(heard), format, levels,
                                     [this](LogLevel /*level*/, const std::string& text) { logged.push_back(text); })) {
}

void RingedStream::copy(Time now) {
  if (const auto part = due(now)) {
    std::vector<std::byte> bytes(part->end - part->begin);
    EXPECT_TRUE(read_ring(*ring_, *part, bytes));
    supply(*part, bytes);
  }
}

void RingedStream::prepare_ring() {
  if (const auto wanted = silence_wanted()) {
    EXPECT_TRUE(silence_ring(*ring_, *wanted));
  }
}

std::shared_ptr<TestSource> Stage::add(std::size_t region_bytes) {
  auto source = std::make_shared<TestSource>(clock, region_bytes);
  engine.add(source);
  return source;
}

void Stage::run_for(Nanoseconds time, const std::function<void()>& at_each) {
  const Time end = clock.now() + time;
  for (;;) {
    const auto next = engine.step(clock.now());
    if (at_each) {
      at_each();
    }
    // What the test did may have brought something nearer.
    const auto after = engine.step(clock.now());
    const Time wake = std::min({next.value_or(end), after.value_or(end), end});
    if (wake >= end) {
      clock.set(end);
      engine.step(end);
      return;
    }
    clock.set(std::max(wake, clock.now()));
  }
}

void Stage::stall_for(Nanoseconds time) {
  clock.advance(time);
  engine.step(clock.now());
}

std::vector<std::int16_t> noise(std::size_t samples, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> value(1, 15000);
  std::vector<std::int16_t> made(samples);
  for (std::int16_t& sample : made) {
    sample = static_cast<std::int16_t>(value(random) * ((random() & 1) != 0 ? 1 : -1));
  }
  return made;
}

std::vector<std::byte> bytes_of(std::span<const std::int16_t> samples) {
  const auto bytes = std::as_bytes(samples);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::int16_t> samples_of(std::span<const std::byte> bytes) {
  std::vector<std::int16_t> samples(bytes.size() / 2);
  std::memcpy(samples.data(), bytes.data(), samples.size() * 2);
  return samples;
}

std::vector<std::byte> joined(const std::vector<Chunk>& chunks) {
  std::vector<std::byte> all;
  for (const Chunk& chunk : chunks) {
    all.insert(all.end(), chunk.bytes.begin(), chunk.bytes.end());
  }
  return all;
}

std::vector<std::int16_t> trimmed(const std::vector<std::int16_t>& samples) {
  const auto sounds = [](std::int16_t sample) { return sample != 0; };
  const auto first = std::find_if(samples.begin(), samples.end(), sounds);
  const auto last = std::find_if(samples.rbegin(), samples.rend(), sounds).base();
  return first < last ? std::vector<std::int16_t>(first, last) : std::vector<std::int16_t>();
}

}  // namespace dmmap::sound::testing
