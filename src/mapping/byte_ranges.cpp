#include "mapping/byte_ranges.h"

#include <algorithm>
#include <iterator>

namespace dmmap::mapping {

ByteStore::Pieces::const_iterator ByteStore::first_ending_after(std::uint64_t offset) const {
  auto piece = pieces_.upper_bound(offset);
  if (piece != pieces_.begin()) {
    const auto before = std::prev(piece);
    if (before->first + before->second.size() > offset) {
      return before;
    }
  }
  return piece;
}

void ByteStore::put(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return;
  }
  erase({offset, offset + bytes.size()});
  pieces_.emplace(offset, std::vector<std::byte>(bytes.begin(), bytes.end()));
  size_ += bytes.size();
}

void ByteStore::erase(const ByteRange& range) {
  for (auto piece = first_ending_after(range.begin); piece != pieces_.end() && piece->first < range.end;) {
    const std::uint64_t begin = piece->first;
    std::vector<std::byte> bytes = std::move(pieces_.extract(piece++).mapped());
    size_ -= bytes.size();
    const std::uint64_t end = begin + bytes.size();
    if (end > range.end) {
      std::vector<std::byte> after(bytes.begin() + static_cast<std::ptrdiff_t>(range.end - begin), bytes.end());
      size_ += after.size();
      piece = pieces_.emplace(range.end, std::move(after)).first;
    }
    if (begin < range.begin) {
      bytes.resize(range.begin - begin);
      size_ += bytes.size();
      pieces_.emplace(begin, std::move(bytes));
    }
  }
}

void ByteStore::overlay(std::uint64_t offset, std::span<std::byte> bytes) const {
  const std::uint64_t end = offset + bytes.size();
  for (auto piece = first_ending_after(offset); piece != pieces_.end() && piece->first < end; ++piece) {
    const std::uint64_t from = std::max(piece->first, offset);
    const std::uint64_t to = std::min(piece->first + piece->second.size(), end);
    std::copy_n(piece->second.begin() + static_cast<std::ptrdiff_t>(from - piece->first), to - from,
                bytes.begin() + static_cast<std::ptrdiff_t>(from - offset));
  }
}

bool ByteStore::covers(const ByteRange& range) const {
  std::uint64_t at = range.begin;
  for (auto piece = first_ending_after(at); piece != pieces_.end() && piece->first <= at && at < range.end; ++piece) {
    at = piece->first + piece->second.size();
  }
  return at >= range.end;
}

std::optional<ByteRange> ByteStore::first_within(const ByteRange& range) const {
  if (!overlaps(range)) {
    return std::nullopt;
  }
  const auto piece = first_ending_after(range.begin);
  return ByteRange{std::max(piece->first, range.begin), std::min(piece->first + piece->second.size(), range.end)};
}

bool ByteStore::overlaps(const ByteRange& range) const {
  const auto piece = first_ending_after(range.begin);
  return !range.empty() && piece != pieces_.end() && piece->first < range.end;
}

}  // namespace dmmap::mapping
