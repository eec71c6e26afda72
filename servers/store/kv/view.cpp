#include "servers/store/kv/view.h"

#include <rocksdb/db.h>

#include <utility>

namespace dmmap::store {

namespace {

rocksdb::ReadOptions as_of(const rocksdb::Snapshot* snapshot) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  return options;
}

}  // namespace

View::View(const Database& database) : database_(database), snapshot_(database.db().GetSnapshot()) {}

View::~View() {
  database_.db().ReleaseSnapshot(snapshot_);
}

Result<std::optional<std::string>> View::get(Table table, std::string_view key) const {
  std::string value;
  const rocksdb::Status status = database_.db().Get(as_of(snapshot_), database_.table(table), key, &value);
  return read_with(status, std::move(value));
}

Cursor View::scan(Table table, KeyRange range) const {
  return {std::move(range), [this, table](const rocksdb::Slice* begin, const rocksdb::Slice* end) {
            rocksdb::ReadOptions options = as_of(snapshot_);
            options.iterate_lower_bound = begin;
            options.iterate_upper_bound = end;
            return std::unique_ptr<rocksdb::Iterator>(database_.db().NewIterator(options, database_.table(table)));
          }};
}

}  // namespace dmmap::store
