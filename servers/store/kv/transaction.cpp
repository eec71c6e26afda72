#include "servers/store/kv/transaction.h"

#include <fmt/format.h>
#include <rocksdb/comparator.h>
#include <rocksdb/db.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include <cerrno>
#include <string>
#include <utility>

#include "servers/store/kv/numbers.h"
#include "servers/store/kv/synced_mark.h"

namespace dmmap::store {

Transaction::Transaction(Database& database)
    : database_(database),
      lock_(database.writing()),
      batch_(std::make_unique<rocksdb::WriteBatchWithIndex>(rocksdb::BytewiseComparator(), 0, /*overwrite_key=*/true)) {
  if (const auto note = database_.mark() != nullptr ? database_.mark()->note_for_log() : std::nullopt) {
    has_note_ = batch_->PutLogData(*note).ok();
  }
}

Transaction::~Transaction() = default;

Result<std::optional<std::string>> Transaction::get(Table table, std::string_view key) const {
  std::string value;
  const rocksdb::Status status =
      batch_->GetFromBatchAndDB(&database_.db(), rocksdb::ReadOptions(), database_.table(table), key, &value);
  return read_with(status, std::move(value));
}

Cursor Transaction::scan(Table table, KeyRange range) const {
  return {std::move(range), rocksdb::ReadOptions(), [this, table](const rocksdb::ReadOptions& options) {
            rocksdb::ColumnFamilyHandle* const family = database_.table(table);
            return batch_->NewIteratorWithBase(family, database_.db().NewIterator(options, family), &options);
          }};
}

void Transaction::put(Table table, std::string_view key, std::string_view value) {
  batch_->Put(database_.table(table), key, value).PermitUncheckedError();  // it grows a string
}

void Transaction::remove(Table table, std::string_view key) {
  batch_->Delete(database_.table(table), key).PermitUncheckedError();
}

Result<std::uint64_t> Transaction::next_numbers(std::string_view kind, std::uint64_t count) {
  const auto known = get(Table::numbers, kind);
  if (!known) {
    return tl::unexpected(known.error());
  }
  std::uint64_t first = 1;
  if (*known) {
    const auto number = decode<1>(**known);
    if (!number) {
      return fail(EIO, fmt::format("the store's next {} isn't a number", kind));
    }
    first = number->front();
  }
  put(Table::numbers, kind, encode({first + count}));
  return first;
}

std::size_t Transaction::size() const {
  return batch_->GetWriteBatch()->GetDataSize();
}

Result<void> Transaction::commit() {
  const rocksdb::Status status = database_.db().Write(rocksdb::WriteOptions(), batch_->GetWriteBatch());
  if (has_note_ && status.ok()) {
    database_.mark()->noted();
  }
  lock_.unlock();
  return result_of(status, "writing to the store");
}

}  // namespace dmmap::store
