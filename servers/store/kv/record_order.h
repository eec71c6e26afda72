// RecordOrder: whether the records of RocksDB's logs follow one another without a gap.
//
// A record says the number of its first entry and how many it has; the next one goes on from there. Only after the
// record without entries that a recovery may begin a new log with, the numbers may jump ahead
// (db/db_impl/db_impl_open.cc, DBImpl::Open: there's what was in tables already, beyond what the log had left).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace dmmap::store {

class RecordOrder {
 public:
  /// Whether this record may be the next one. If so, it's what others are to follow.
  bool follows(std::uint64_t sequence, std::uint32_t count) {
    if (count == 0) {
      exact_ = false;
      next_ = std::max(next_.value_or(0), sequence);
      return true;
    }
    if (next_ && (exact_ ? sequence != *next_ : sequence < *next_)) {
      return false;
    }
    next_ = sequence + count;
    exact_ = true;
    return true;
  }
  /// The number that the next entry has, or is above; nothing when that isn't known.
  [[nodiscard]] std::optional<std::uint64_t> next() const { return next_; }

 private:
  std::optional<std::uint64_t> next_;
  bool exact_ = false;
};

}  // namespace dmmap::store
