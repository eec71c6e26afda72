// What a record of RocksDB's log begins with: a batch of changes' header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dmmap::store {

/// The number that `bytes` are, the lowest byte first, as RocksDB's logs have it.
[[nodiscard]] inline std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    number = number << 8 | static_cast<unsigned char>(*byte);
  }
  return number;
}

/// As it's in a batch (db/write_batch.cc); its entries follow, each with a tag.
struct BatchHeader {
  static constexpr std::size_t kSize = 12;
  std::uint64_t sequence = 0;  ///< the number of its first entry
  std::uint32_t count = 0;     ///< of its entries
};

/// Nothing when the batch is too small.
[[nodiscard]] inline std::optional<BatchHeader> parse_batch_header(std::string_view batch) {
  if (batch.size() < BatchHeader::kSize) {
    return std::nullopt;
  }
  return BatchHeader{little_endian(batch.substr(0, 8)), static_cast<std::uint32_t>(little_endian(batch.substr(8, 4)))};
}

}  // namespace dmmap::store
