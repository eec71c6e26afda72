#include "servers/store/kv/checksum.h"

#include <rocksdb/file_checksum.h>

#include <string>

namespace dmmap::store {

// RocksDB's own, which uses the processor's instructions; its public way to it is that of checksums of files.
std::uint32_t crc32c(std::string_view bytes) {
  static const auto factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  const auto generator = factory->CreateFileChecksumGenerator({});
  generator->Update(bytes.data(), bytes.size());
  generator->Finalize();
  std::uint32_t sum = 0;
  for (const char each : generator->GetChecksum()) {  // the highest byte first
    sum = sum << 8 | static_cast<unsigned char>(each);
  }
  return sum;
}

}  // namespace dmmap::store
