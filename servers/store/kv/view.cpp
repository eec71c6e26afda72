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

Result<void> View::get_each(Table table, const std::vector<std::string>& keys, const OnValue& on_value) const {
  const std::vector<rocksdb::Slice> wanted(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  database_.db().MultiGet(as_of(snapshot_), database_.table(table), keys.size(), wanted.data(), values.data(),
                          statuses.data(), /*sorted_input=*/true);
  for (std::size_t each = 0; each < keys.size(); ++each) {
    auto done = on_value(each, read_with(statuses[each], values[each].ToStringView()));
    if (!done) {
      return done;
    }
  }
  return {};
}

Cursor View::scan(Table table, KeyRange range) const {
  return {std::move(range), as_of(snapshot_), [this, table](const rocksdb::ReadOptions& options) {
            return database_.db().NewIterator(options, database_.table(table));
          }};
}

}  // namespace dmmap::store
