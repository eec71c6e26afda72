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
  iterator_->Seek({key.data(), key.size()});
}
void Cursor::seek_before(std::string_view key) {
  iterator_->SeekForPrev({key.data(), key.size()});
}
void Cursor::next() {
  iterator_->Next();
}
bool Cursor::valid() const {
  return iterator_->Valid();
}
std::string_view Cursor::key() const {
  const rocksdb::Slice key = iterator_->key();
  return {key.data(), key.size()};
}
std::string_view Cursor::value() const {
  const rocksdb::Slice value = iterator_->value();
  return {value.data(), value.size()};
}
Result<void> Cursor::status() const {
  const rocksdb::Status status = iterator_->status();
  return status.ok() ? Result<void>() : fail_status(status, "reading the store");
}

}  // namespace dmmap::store
