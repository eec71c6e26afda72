// Transaction: changes to a store's tables that happen all together or not at all.
//
// Promises: it sees its own changes; no other transaction runs meanwhile; what isn't committed never was. What it
// changes is kept in memory until it's committed: whoever changes much does it in several, each of which leaves the
// store sound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "servers/store/kv/database.h"
#include "servers/store/kv/reader.h"

namespace rocksdb {
class WriteBatchWithIndex;
}

namespace dmmap::store {

class Transaction final : public Reader {
 public:
  /// Waits for the one that is under way.
  explicit Transaction(Database& database);
  ~Transaction() override;

  [[nodiscard]] Result<std::optional<std::string>> get(Table table, std::string_view key) const override;
  [[nodiscard]] Cursor scan(Table table, KeyRange range) const override;

  void put(Table table, std::string_view key, std::string_view value);
  void remove(Table table, std::string_view key);
  /// The first of `count` numbers of this kind that nobody has had, and that nobody will get again.
  Result<std::uint64_t> next_numbers(std::string_view kind, std::uint64_t count);

  /// About how much memory the changes so far take, in bytes.
  [[nodiscard]] std::size_t size() const;

  /// To be called once; the transaction is over then. A kill takes nothing back, a power cut may until sync().
  /// Errors: EIO, ENOSPC: nothing was changed.
  Result<void> commit();

 private:
  Database& database_;
  std::unique_lock<std::mutex> lock_;
  const std::unique_ptr<rocksdb::WriteBatchWithIndex> batch_;
  bool has_note_ = false;  // of how much is on the disk; see SyncedMark
};

}  // namespace dmmap::store
