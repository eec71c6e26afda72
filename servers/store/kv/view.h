// View: a store's tables as they are at one moment, whatever is committed meanwhile.
#pragma once

#include "servers/store/kv/database.h"
#include "servers/store/kv/reader.h"

namespace rocksdb {
class Snapshot;
}

namespace dmmap::store {

/// Must not outlive the database. What it sees takes space as long as it lives.
class View final : public Reader {
 public:
  explicit View(const Database& database);
  ~View() override;

  [[nodiscard]] Result<std::optional<std::string>> get(Table table, std::string_view key) const override;
  Result<void> get_each(Table table, const std::vector<std::string>& keys, const OnValue& on_value) const override;
  [[nodiscard]] Cursor scan(Table table, KeyRange range) const override;

 private:
  const Database& database_;
  const rocksdb::Snapshot* const snapshot_;
};

}  // namespace dmmap::store
