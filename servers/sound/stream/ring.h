// Rings of bytes: a stream's own, and what is done to the one that a client maps: by calls of Region alone, so it's the
// same for every kind of region.
//
// These calls may wait for the threads that answer clients (a PagedRegion's page may have to be brought), so none is
// made while a lock is held that a handler takes. Thread safety: every function, from any thread.
#pragma once

#include <dmmap/region.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dmmap::sound {

/// The most that a ring can have, in bytes.
inline constexpr std::uint64_t kMostRingBytes = std::uint64_t{1} << 20;

/// Bytes `begin` to `end` of all that a ring plays or records, round and round.
struct RingPart {
  std::uint64_t generation = 0;  ///< which beginning they are counted from
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t ring_bytes = 0;
  std::byte silent{};  ///< what silence is made of
};

/// Bytes that go round and round, as many as were last said: a stream's own, which no client sees. Thread safety: one
/// thread at a time.
class RingBuffer {
 public:
  /// Puts `bytes`, which are from byte `at` on of all. REQUIRES: no more than the ring has.
  void put(std::uint64_t at, std::span<const std::byte> bytes, std::uint64_t ring_bytes);
  /// Brings those from byte `at` on.
  void get(std::uint64_t at, std::span<std::byte> bytes, std::uint64_t ring_bytes) const;

 private:
  std::vector<std::byte> bytes_;
};

/// A ring that nobody has stored into is to be silent, which isn't zeros for every encoding.
struct RingSilence {
  std::uint64_t bytes = 0;
  std::byte value{};
};

/// Copies what the ring, the first bytes of `region`, has now; `to` has as many bytes as the part.
/// Errors: those of Region::read
[[nodiscard]] Result<void> read_ring(const Region& region, const RingPart& part, std::span<std::byte> to);

/// Stores `bytes`, as many as the part has. Errors: those of Region::write
[[nodiscard]] Result<void> write_ring(Region& region, const RingPart& part, std::span<const std::byte> bytes);

/// Fills the ring if it's all zeros. Errors: those of Region::read and Region::write.
[[nodiscard]] Result<void> silence_ring(Region& region, const RingSilence& silence);

}  // namespace dmmap::sound
