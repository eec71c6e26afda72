#include "servers/store/pages/run_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "servers/store/kv/numbers.h"

namespace dmmap::store {

RunTable::RunTable(Table table, std::string prefix, Values values)
    : table_(table), prefix_(std::move(prefix)), values_(values) {}

std::string RunTable::key(std::uint64_t first) const {
  return prefix_ + encode({first});
}

void append_run(std::vector<Run>& runs, const Run& run, RunTable::Values values) {
  const bool counting = values == RunTable::Values::counting;
  if (!runs.empty() && runs.back().end() == run.first &&
      run.value == runs.back().value + (counting ? runs.back().count : 0)) {
    runs.back().count += run.count;
  } else {
    runs.push_back(run);
  }
}

Run RunTable::cut(const Run& run, std::uint64_t first, std::uint64_t end) const {
  const std::uint64_t from = std::max(run.first, first);
  const std::uint64_t skipped = from - run.first;
  return {from, std::min(run.end(), end) - from, values_ == Values::counting ? run.value + skipped : run.value};
}

// Whole runs, those included that only a part of lies there.
Result<std::vector<Run>> RunTable::touching(const Reader& reader, std::uint64_t first, std::uint64_t end,
                                            std::size_t most) const {
  std::vector<Run> runs;
  Cursor cursor = reader.scan(table_);
  cursor.seek_before(key(first));
  if (!cursor.valid() || !cursor.key().starts_with(prefix_)) {
    cursor.seek(key(first));
  }
  for (; runs.size() < most && cursor.valid() && cursor.key().starts_with(prefix_); cursor.next()) {
    const auto start = decode<1>(cursor.key().substr(prefix_.size()));
    const auto said = decode<2>(cursor.value());
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
    if (!start || !said || (*said)[0] == 0 || (*said)[0] > kMost - (*start)[0]) {
      return fail(EIO, fmt::format("the store is damaged: its table of {} has an entry that is none", name_of(table_)));
    }
    const Run run{(*start)[0], (*said)[0], (*said)[1]};
    if (run.first >= end) {
      break;
    }
    if (run.end() > first) {
      runs.push_back(run);
    }
    // Not a step further: what was removed lately is passed over one by one.
    if (run.end() >= end) {
      break;
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
      run = cut(run, first, end);
    }
  }
  return runs;
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
      all.push_back(cut(run, 0, first));
    }
  }
  all.insert(all.end(), runs.begin(), runs.end());
  for (const Run& run : *old) {
    if (run.end() > end) {
      all.push_back(cut(run, end, run.end()));
    }
  }
  std::vector<Run> merged;
  for (const Run& run : all) {
    append_run(merged, run, values_);
  }
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
