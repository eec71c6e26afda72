#include "servers/store/kv/log_filter.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <limits>

#include "servers/store/kv/batch_header.h"

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
  const auto header = parse_batch_header(batch.Data());
  return header && order_.follows(header->sequence, header->count) ? WalProcessingOption::kContinueProcessing
                                                                   : WalProcessingOption::kCorruptedRecord;
}

}  // namespace dmmap::store
