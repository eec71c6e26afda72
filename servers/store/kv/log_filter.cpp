#include "servers/store/kv/log_filter.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <limits>

namespace dmmap::store {

void LogFilter::ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& logs,
                                         const std::map<std::string, std::uint32_t>& /*ids*/) {
  first_needed_ = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [family, log] : logs) {
    first_needed_ = std::min(first_needed_, log);
  }
}

rocksdb::WalFilter::WalProcessingOption LogFilter::LogRecordFound(unsigned long long /*log*/,
                                                                  const std::string& /*name*/,
                                                                  const rocksdb::WriteBatch& batch,
                                                                  rocksdb::WriteBatch* /*new_batch*/,
                                                                  bool* /*changed*/) {
  std::uint64_t sequence = 0;  // a batch begins with it, the lowest byte first (db/write_batch.cc)
  for (int byte = 7; byte >= 0; --byte) {
    sequence = sequence << 8 | static_cast<unsigned char>(batch.Data()[static_cast<std::size_t>(byte)]);
  }
  return order_.follows(sequence, batch.Count()) ? WalProcessingOption::kContinueProcessing
                                                 : WalProcessingOption::kCorruptedRecord;
}

}  // namespace dmmap::store
