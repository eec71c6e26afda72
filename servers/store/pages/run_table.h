// RunTable: a table that says something of each number, in runs of numbers of which it says the same.
//
// Invariants, in the database: runs don't overlap, none is empty, and what could be one run is one. Both of a store's
// such tables are of this kind: what a file shows at its pages, and how often a page is referred to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "servers/store/kv/reader.h"
#include "servers/store/kv/transaction.h"

namespace dmmap::store {

/// What is said of the numbers [first, first + count).
struct Run {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t value = 0;
  auto operator<=>(const Run&) const = default;
  [[nodiscard]] std::uint64_t end() const { return first + count; }
};

/// Thread safety: a value; its Reader's is what counts.
class RunTable {
 public:
  enum class Values {
    same,      ///< of each number `value` is said
    counting,  ///< of the first `value`, of the one after it `value` + 1, and so on
  };
  /// The runs whose keys begin with `prefix`. None goes beyond a multiple of `block`, so that what is said of a number
  /// is found without looking further back; 0: as far as it may. It's part of the format: the same each time.
  RunTable(Table table, std::string prefix, Values values, std::uint64_t block = 0);

  /// The runs between `first` and `end`, cut off there; at most `most`, the first ones. Errors: EIO.
  [[nodiscard]] Result<std::vector<Run>> between(const Reader& reader, std::uint64_t first, std::uint64_t end,
                                                 std::size_t most = SIZE_MAX) const;
  /// From `first` to `end` nothing is said but `runs`. REQUIRES: they lie there, in order. Errors: EIO.
  Result<void> replace(Transaction& transaction, std::uint64_t first, std::uint64_t end,
                       const std::vector<Run>& runs) const;
  /// As replace(), where nothing is said yet, and nothing of what is next to it. REQUIRES: that, and as of replace().
  void insert(Transaction& transaction, const std::vector<Run>& runs) const;

 private:
  [[nodiscard]] Result<std::vector<Run>> touching(const Reader& reader, std::uint64_t first, std::uint64_t end,
                                                  std::size_t most) const;
  [[nodiscard]] std::vector<Run> merge(const std::vector<Run>& runs) const;
  [[nodiscard]] std::string key(std::uint64_t first) const;

  Table table_;
  std::string prefix_;
  Values values_;
  std::uint64_t block_;
};

/// Adds `run` to `runs`, which end before it: as one with the last if it goes on with it, and as several where it
/// reaches into several blocks.
void append_run(std::vector<Run>& runs, Run run, RunTable::Values values, std::uint64_t block = 0);

}  // namespace dmmap::store
