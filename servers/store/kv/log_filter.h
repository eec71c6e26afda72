// LogFilter: looks on while RocksDB brings what its logs have, at opening.
//
// Promises: nothing that comes after a gap is brought. RocksDB passes over a part of zeros, which a power cut may leave
// where the disk has written later pages first, up to the next block, and goes on there if a record happens to begin
// with it (db/log_reader.cc): changes would be there, and others that were made before them not.
#pragma once

#include <rocksdb/wal_filter.h>

#include <cstdint>
#include <map>
#include <string>

#include "servers/store/kv/record_order.h"

namespace dmmap::store {

class LogFilter : public rocksdb::WalFilter {
 public:
  [[nodiscard]] const char* Name() const override { return "dmmap"; }
  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& logs,
                                const std::map<std::string, std::uint32_t>& ids) override;
  WalProcessingOption LogRecordFound(unsigned long long log, const std::string& name, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* changed) override;

  /// Logs before this one have nothing that isn't in tables too.
  [[nodiscard]] std::uint64_t first_needed() const { return first_needed_; }

 private:
  std::uint64_t first_needed_ = 0;
  RecordOrder order_;
};

}  // namespace dmmap::store
