#include "servers/store/kv/reader.h"

#include <rocksdb/iterator.h>

#include <utility>

#include "servers/store/kv/database.h"

namespace dmmap::store {

Cursor::Cursor(std::unique_ptr<rocksdb::Iterator> iterator) : iterator_(std::move(iterator)) {}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

void Cursor::seek(std::string_view key) {
  iterator_->Seek(key);
}
void Cursor::seek_before(std::string_view key) {
  iterator_->SeekForPrev(key);
}
void Cursor::next() {
  iterator_->Next();
}
bool Cursor::valid() const {
  return iterator_->Valid();
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

}  // namespace dmmap::store
