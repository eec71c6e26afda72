#include "servers/store/pages/run_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "servers/store/kv/numbers.h"

namespace dmmap::store {

RunTable::RunTable(Table table, std::string prefix, Values values, std::uint64_t block)
    : table_(table), prefix_(std::move(prefix)), values_(values), block_(block) {}

std::string RunTable::key(std::uint64_t first) const {
  return prefix_ + encode({first});
}

namespace {

// The part of `run` between `first` and `end`. REQUIRES: there is one.
Run part_of(const Run& run, std::uint64_t first, std::uint64_t end, RunTable::Values values) {
  const std::uint64_t from = std::max(run.first, first);
  const std::uint64_t skipped = from - run.first;
  return {from, std::min(run.end(), end) - from,
          values == RunTable::Values::counting ? run.value + skipped : run.value};
}

}  // namespace

void append_run(std::vector<Run>& runs, Run run, RunTable::Values values, std::uint64_t block) {
  while (run.count > 0) {
    const std::uint64_t end = block == 0 ? run.end() : std::min(run.end(), (run.first / block + 1) * block);
    const Run part = part_of(run, run.first, end, values);
    const bool goes_on =
        !runs.empty() && runs.back().end() == part.first && (block == 0 || part.first % block != 0) &&
        part.value == runs.back().value + (values == RunTable::Values::counting ? runs.back().count : 0);
    if (goes_on) {
      runs.back().count += part.count;
    } else {
      runs.push_back(part);
    }
    if (end == run.end()) {
      return;
    }
    run = part_of(run, end, run.end(), values);
  }
}

// Whole runs, those included that only a part of lies there.
Result<std::vector<Run>> RunTable::touching(const Reader& reader, std::uint64_t first, std::uint64_t end,
                                            std::size_t most) const {
  std::vector<Run> runs;
  if (first >= end) {
    return runs;
  }
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  Cursor cursor = reader.scan(
      table_, {key(block_ == 0 ? 0 : first - first % block_), end == kMost ? KeyRange::of(prefix_).end : key(end)});
  // Backwards costs RocksDB more by far than forwards, over a block's few.
  if (block_ == 0) {
    cursor.seek_before(key(first));
  }
  if (block_ != 0 || !cursor.valid()) {
    cursor.seek("");
  }
  for (; runs.size() < most && cursor.valid(); cursor.next()) {
    const auto start = decode<1>(cursor.key().substr(prefix_.size()));
    const auto said = decode<2>(cursor.value());
    if (!start || !said || (*said)[0] == 0 || (*said)[0] > kMost - (*start)[0]) {
      return fail(EIO, fmt::format("the store is damaged: its table of {} has an entry that is none", name_of(table_)));
    }
    const Run run{(*start)[0], (*said)[0], (*said)[1]};
    if (run.end() > first) {
      runs.push_back(run);
    }
  }
  if (auto good = cursor.status(); !good) {
    return tl::unexpected(good.error());
  }
  return runs;
}

Result<std::vector<Run>> RunTable::between(const Reader& reader, std::uint64_t first, std::uint64_t end,
                                           std::size_t most) const {
  auto runs = touching(reader, first, end, most);
  if (runs) {
    for (Run& run : *runs) {
      run = part_of(run, first, end, values_);
    }
  }
  return runs;
}

std::vector<Run> RunTable::merge(const std::vector<Run>& runs) const {
  std::vector<Run> merged;
  for (const Run& run : runs) {
    append_run(merged, run, values_, block_);
  }
  return merged;
}

void RunTable::insert(Transaction& transaction, const std::vector<Run>& runs) const {
  for (const Run& run : merge(runs)) {
    transaction.put(table_, key(run.first), encode({run.count, run.value}));
  }
}

Result<void> RunTable::replace(Transaction& transaction, std::uint64_t first, std::uint64_t end,
                               const std::vector<Run>& runs) const {
  // With its neighbours, which may become one with what is new.
  const std::uint64_t before = first == 0 ? 0 : first - 1;
  const auto old = touching(transaction, before, end == std::numeric_limits<std::uint64_t>::max() ? end : end + 1,
                            std::numeric_limits<std::size_t>::max());
  if (!old) {
    return tl::unexpected(old.error());
  }
  std::vector<Run> all;
  for (const Run& run : *old) {
    if (run.first < first) {
      all.push_back(part_of(run, 0, first, values_));
    }
  }
  all.insert(all.end(), runs.begin(), runs.end());
  for (const Run& run : *old) {
    if (run.end() > end) {
      all.push_back(part_of(run, end, run.end(), values_));
    }
  }
  const std::vector<Run> merged = merge(all);
  // What stays as it was isn't written again.
  for (const Run& run : *old) {
    if (!std::binary_search(merged.begin(), merged.end(), run)) {
      transaction.remove(table_, key(run.first));
    }
  }
  for (const Run& run : merged) {
    if (!std::binary_search(old->begin(), old->end(), run)) {
      transaction.put(table_, key(run.first), encode({run.count, run.value}));
    }
  }
  return {};
}

}  // namespace dmmap::store
