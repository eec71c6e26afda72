#include "servers/store/kv/view.h"

#include <rocksdb/db.h>

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
  const rocksdb::Status status =
      database_.db().Get(as_of(snapshot_), database_.table(table), {key.data(), key.size()}, &value);
  if (status.IsNotFound()) {
    return std::nullopt;
  }
  if (!status.ok()) {
    return fail_status(status, "reading the store");
  }
  return value;
}

Cursor View::scan(Table table) const {
  return Cursor(
      std::unique_ptr<rocksdb::Iterator>(database_.db().NewIterator(as_of(snapshot_), database_.table(table))));
}

}  // namespace dmmap::store
