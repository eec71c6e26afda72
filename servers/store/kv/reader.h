// Reader: the tables as they are to one who reads: at one moment (View), or within a transaction (Transaction).
#pragma once

#include <dmmap/error.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "servers/store/kv/table.h"

namespace rocksdb {
class Iterator;
struct ReadOptions;
}  // namespace rocksdb

namespace dmmap::store {

/// Keys at `begin` or after it, and before `end`; the table's end where that is empty.
struct KeyRange {
  std::string begin;
  std::string end;
  [[nodiscard]] static KeyRange all() { return {}; }
  /// Those that begin with `prefix`.
  [[nodiscard]] static KeyRange of(std::string_view prefix);
};

/// A place in a part of a table, between whose entries it goes in the order of keys; it doesn't leave that part, and
/// doesn't look beyond it: RocksDB keeps what was removed lately, and passes over it entry by entry. Must not outlive
/// its Reader. What a Transaction changes after the cursor was made, it may show or not.
class Cursor {
 public:
  /// `open` makes RocksDB's iterator, with these options and the bounds of what it's to look at.
  using Open = std::function<rocksdb::Iterator*(const rocksdb::ReadOptions& options)>;
  Cursor(KeyRange range, const rocksdb::ReadOptions& options, const Open& open);
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  ~Cursor();

  void seek(std::string_view key);         ///< to the first entry at `key` or after
  void seek_before(std::string_view key);  ///< to the last entry at `key` or before. REQUIRES: it's in that part
  void next();                             ///< REQUIRES: valid()
  [[nodiscard]] bool valid() const;
  [[nodiscard]] std::string_view key() const;    ///< until the cursor moves. REQUIRES: valid()
  [[nodiscard]] std::string_view value() const;  ///< likewise
  /// Why it isn't valid: nothing for the table's end. Errors: EIO for what is damaged.
  [[nodiscard]] Result<void> status() const;

 private:
  struct Bounds;
  std::unique_ptr<Bounds> bounds_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

/// Thread safety: one thread at a time.
class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  /// The value, or nothing. Errors: EIO for what is damaged.
  [[nodiscard]] virtual Result<std::optional<std::string>> get(Table table, std::string_view key) const = 0;
  /// Told for each key its place among `keys` and its value, as of get(), which stays until it returns.
  using OnValue = std::function<Result<void>(std::size_t, const Result<std::optional<std::string_view>>&)>;
  /// As get() for each of `keys`, in one go where that is faster. Stops at the first error of `on_value`. REQUIRES:
  /// they are in order.
  virtual Result<void> get_each(Table table, const std::vector<std::string>& keys, const OnValue& on_value) const;
  [[nodiscard]] virtual Cursor scan(Table table, KeyRange range) const = 0;
};

/// Calls `on_entry` with the key and the value of each entry in `range`, in the order of keys. Errors: EIO for what is
/// damaged.
template <class OnEntry>
Result<void> for_each(const Reader& reader, Table table, KeyRange range, const OnEntry& on_entry) {
  Cursor cursor = reader.scan(table, std::move(range));
  for (cursor.seek(""); cursor.valid(); cursor.next()) {
    on_entry(cursor.key(), cursor.value());
  }
  return cursor.status();
}

/// As above, of the whole table.
template <class OnEntry>
Result<void> for_each(const Reader& reader, Table table, const OnEntry& on_entry) {
  return for_each(reader, table, KeyRange::all(), on_entry);
}

}  // namespace dmmap::store
