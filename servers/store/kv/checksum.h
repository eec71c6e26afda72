// The checksum that RocksDB's logs have: CRC-32C.
#pragma once

#include <cstdint>
#include <string_view>

namespace dmmap::store {

[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

}  // namespace dmmap::store
