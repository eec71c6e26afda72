// Throws bytes at everything that decodes requests. Start it from tests/protocol/corpus/.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "tests/protocol/decode_everything.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name for it
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // As it came, and with the length right, which a mutation otherwise has to guess.
  dmmap::protocol::decode_everything(std::as_bytes(std::span(data, size)));
  std::vector<std::uint8_t> corrected(data, data + size);
  const auto length = static_cast<std::uint32_t>(size);
  if (size >= sizeof length) {
    std::memcpy(corrected.data(), &length, sizeof length);
    dmmap::protocol::decode_everything(std::as_bytes(std::span(corrected)));
  }
  return 0;
}
