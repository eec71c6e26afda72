// A half-open range of bytes, and bytes kept by where they belong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace dmmap::mapping {

/// `[begin, end)`, in bytes.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] bool overlaps(const ByteRange& other) const { return begin < other.end && other.begin < end; }
  [[nodiscard]] bool empty() const { return begin >= end; }
};

/// Bytes by their offset, where later ones take the place of earlier ones. Invariant: no two pieces overlap, none is
/// empty. Thread safety: one thread at a time.
class ByteStore {
 public:
  void put(std::uint64_t offset, std::span<const std::byte> bytes);
  void erase(const ByteRange& range);
  /// Lays what is kept over `bytes`, which begin at `offset`.
  void overlay(std::uint64_t offset, std::span<std::byte> bytes) const;
  /// Whether every byte of the range is kept.
  [[nodiscard]] bool covers(const ByteRange& range) const;
  [[nodiscard]] bool overlaps(const ByteRange& range) const;
  /// The first run of bytes within the range that is kept in one piece.
  [[nodiscard]] std::optional<ByteRange> first_within(const ByteRange& range) const;
  [[nodiscard]] bool empty() const { return pieces_.empty(); }
  /// Bytes kept.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::map<std::uint64_t, std::vector<std::byte>>& pieces() const { return pieces_; }
  void clear() {
    pieces_.clear();
    size_ = 0;
  }

 private:
  using Pieces = std::map<std::uint64_t, std::vector<std::byte>>;
  [[nodiscard]] Pieces::const_iterator first_ending_after(std::uint64_t offset) const;
  Pieces pieces_;
  std::uint64_t size_ = 0;
};

}  // namespace dmmap::mapping
