#include "servers/store/kv/reader.h"

#include <rocksdb/iterator.h>
#include <rocksdb/options.h>

#include <algorithm>
#include <utility>

#include "servers/store/kv/database.h"

namespace dmmap::store {

// Where it stays as long as the iterator, which keeps pointers.
struct Cursor::Bounds {
  explicit Bounds(KeyRange bounds) : range(std::move(bounds)), begin(range.begin), end(range.end) {}
  KeyRange range;
  rocksdb::Slice begin;
  rocksdb::Slice end;
};

KeyRange KeyRange::of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') {
    end.pop_back();
  }
  if (!end.empty()) {
    ++end.back();
  }
  return {std::string(prefix), end};
}

Cursor::Cursor(KeyRange range, const rocksdb::ReadOptions& options, const Open& open)
    : bounds_(std::make_unique<Bounds>(std::move(range))) {
  rocksdb::ReadOptions bounded = options;
  bounded.iterate_lower_bound = &bounds_->begin;
  bounded.iterate_upper_bound = bounds_->end.empty() ? nullptr : &bounds_->end;
  iterator_.reset(open(bounded));
}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

void Cursor::seek(std::string_view key) {
  // What a transaction has put before the part that it is to be in would be found otherwise.
  iterator_->Seek(std::max(key, std::string_view(bounds_->range.begin)));
}
void Cursor::seek_before(std::string_view key) {
  iterator_->SeekForPrev(key);
}
void Cursor::next() {
  iterator_->Next();
}
bool Cursor::valid() const {
  // What a transaction has put isn't held to the bounds by RocksDB.
  return iterator_->Valid() && iterator_->key().compare(bounds_->begin) >= 0 &&
         (bounds_->end.empty() || iterator_->key().compare(bounds_->end) < 0);
}
std::string_view Cursor::key() const {
  return iterator_->key().ToStringView();
}
std::string_view Cursor::value() const {
  return iterator_->value().ToStringView();
}
Result<void> Cursor::status() const {
  return result_of(iterator_->status(), "reading the store");
}

Result<void> Reader::get_each(Table table, const std::vector<std::string>& keys, const OnValue& on_value) const {
  for (std::size_t each = 0; each < keys.size(); ++each) {
    const auto value = get(table, keys[each]);
    auto done = on_value(each, value.map([](const auto& found) { return std::optional<std::string_view>(found); }));
    if (!done) {
      return done;
    }
  }
  return {};
}

}  // namespace dmmap::store
