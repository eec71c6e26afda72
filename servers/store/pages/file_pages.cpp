#include "servers/store/pages/file_pages.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "servers/store/kv/numbers.h"

namespace dmmap::store {

namespace {

constexpr std::string_view kPageNumbers = "page";
constexpr std::uint64_t kShortRun = 64;           // pages, that are removed one by one
constexpr std::uint64_t kReapedAtOnce = 1 << 16;  // pages
constexpr std::size_t kReapedRuns = 1000;

/// Without the zeros at its end: a small file's page takes what its bytes take.
std::string_view trimmed(std::span<const std::byte> page) {
  std::size_t size = page.size();
  while (size > 0 && page[size - 1] == std::byte{0}) {
    --size;
  }
  return {reinterpret_cast<const char*>(page.data()), size};
}

// The bytes of pages that nobody shows are taken away later, by reap_pages().
void free_pages(Transaction& transaction, const std::vector<PageRange>& unused) {
  for (const PageRange& run : unused) {
    transaction.put(Table::freed, encode({run.first}), encode({run.count}));
  }
}

Result<void> drop_all(Transaction& transaction, const std::vector<PageRange>& pages) {
  for (const PageRange& run : pages) {
    const auto unused = PageReferences::drop(transaction, run);
    if (!unused) {
      return tl::unexpected(unused.error());
    }
    free_pages(transaction, *unused);
  }
  return {};
}

std::int64_t count_of(const std::vector<Run>& runs) {
  std::uint64_t all = 0;
  for (const Run& run : runs) {
    all += run.count;
  }
  return static_cast<std::int64_t>(all);
}

// Leaves so much of `runs`, which are up to `end`, that no more than `most` runs are touched: where they're shared a
// long run of pages is several runs of references. Returns where what is left ends.
std::uint64_t take_most(std::vector<Run>& runs, std::uint64_t end, std::size_t most) {
  std::uint64_t room = most * PageReferences::kBlock;
  for (std::size_t each = 0; each < runs.size(); ++each) {
    Run& run = runs[each];
    if (each == most || run.count > room) {
      const std::uint64_t there = each == most ? run.first : run.first + room;
      run.count = there - run.first;
      runs.resize(run.count == 0 ? each : each + 1);
      return there;
    }
    room -= run.count;
  }
  return end;
}

std::vector<PageRange> shown(const std::vector<Run>& runs) {
  std::vector<PageRange> pages;
  for (const Run& run : runs) {
    pages.push_back({run.value, run.count});
  }
  return pages;
}

}  // namespace

FilePages::FilePages(FileId file) : list_(Table::lists, key_of(file), RunTable::Values::counting) {}

Result<void> FilePages::read(const Reader& reader, std::uint64_t first, std::span<std::byte> to) const {
  const auto runs = list_.between(reader, first, first + to.size() / kStorePage);
  if (!runs) {
    return tl::unexpected(runs.error());
  }
  std::fill(to.begin(), to.end(), std::byte{0});
  struct Wanted {
    std::uint64_t number = 0;
    std::uint64_t at = 0;  // in `to`, in pages
  };
  std::vector<Wanted> wanted;
  for (const Run& run : *runs) {
    for (std::uint64_t each = 0; each < run.count; ++each) {
      wanted.push_back({run.value + each, run.first + each - first});
    }
  }
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.number < b.number; });
  std::vector<std::string> keys;
  keys.reserve(wanted.size());
  for (const Wanted& page : wanted) {
    keys.push_back(encode({page.number}));
  }
  return reader.get_each(Table::pages, keys, [&](std::size_t which, const auto& bytes) -> Result<void> {
    const auto [number, at] = wanted[which];
    if (!bytes) {
      return fail(bytes.error().code, fmt::format("page {} of the store: {}", number, bytes.error().message));
    }
    if (!*bytes || (*bytes)->size() > kStorePage) {
      return fail(EIO, fmt::format("page {} of the store is {}", number, *bytes ? "too long" : "missing"));
    }
    std::memcpy(to.subspan(at * kStorePage).data(), (*bytes)->data(), (*bytes)->size());
    return {};
  });
}

// What the list is to say of `run`, which is there, so that it may be written: new numbers in place of those that
// others show too.
Result<std::vector<Run>> FilePages::written(Transaction& transaction, const Run& run,
                                            std::vector<PageRange>& given_up) const {
  const auto references = PageReferences::of(transaction, {run.value, run.count});
  if (!references) {
    return tl::unexpected(references.error());
  }
  std::vector<Run> all;
  for (const Run& part : *references) {
    const std::uint64_t at = run.first + (part.first - run.value);
    if (part.value == 1) {
      all.push_back({at, part.count, part.first});
      continue;
    }
    const auto fresh = transaction.next_numbers(kPageNumbers, part.count);
    if (!fresh) {
      return tl::unexpected(fresh.error());
    }
    given_up.push_back({part.first, part.count});
    all.push_back({at, part.count, *fresh});
  }
  return all;
}

Result<std::int64_t> FilePages::write(Transaction& transaction, std::uint64_t first,
                                      std::span<const std::byte> from) const {
  const std::uint64_t end = first + from.size() / kStorePage;
  const auto old = list_.between(transaction, first, end);
  if (!old) {
    return tl::unexpected(old.error());
  }
  std::vector<Run> fresh;
  std::vector<PageRange> given_up;
  std::uint64_t at = first;
  const auto fill_hole = [&](std::uint64_t until) -> Result<void> {
    if (at < until) {
      const auto number = transaction.next_numbers(kPageNumbers, until - at);
      if (!number) {
        return tl::unexpected(number.error());
      }
      fresh.push_back({at, until - at, *number});
    }
    return {};
  };
  for (const Run& run : *old) {
    if (auto filled = fill_hole(run.first); !filled) {
      return tl::unexpected(filled.error());
    }
    const auto parts = written(transaction, run, given_up);
    if (!parts) {
      return tl::unexpected(parts.error());
    }
    fresh.insert(fresh.end(), parts->begin(), parts->end());
    at = run.end();
  }
  if (auto filled = fill_hole(end); !filled) {
    return tl::unexpected(filled.error());
  }
  for (const Run& run : fresh) {
    for (std::uint64_t each = 0; each < run.count; ++each) {
      const auto page = from.subspan((run.first + each - first) * kStorePage, kStorePage);
      transaction.put(Table::pages, encode({run.value + each}), trimmed(page));
    }
  }
  if (auto dropped = drop_all(transaction, given_up); !dropped) {
    return tl::unexpected(dropped.error());
  }
  return replace(transaction, {first, end}, *old, fresh);
}

Result<std::int64_t> FilePages::replace(Transaction& transaction, PageSpan pages, const std::vector<Run>& old,
                                        const std::vector<Run>& fresh) const {
  if (fresh != old) {
    if (auto replaced = list_.replace(transaction, pages.first, pages.end, fresh); !replaced) {
      return tl::unexpected(replaced.error());
    }
  }
  return count_of(fresh) - count_of(old);
}

Result<std::int64_t> FilePages::share(Transaction& transaction, const FilePages& source, PageSpan pages,
                                      std::uint64_t to) const {
  auto runs = source.list_.between(transaction, pages.first, pages.end);
  if (!runs) {
    return tl::unexpected(runs.error());
  }
  // First what comes, then what goes: the same page may do both.
  for (Run& run : *runs) {
    if (auto added = PageReferences::add(transaction, {run.value, run.count}); !added) {
      return tl::unexpected(added.error());
    }
    run.first = to + (run.first - pages.first);
  }
  return show(transaction, {to, to + (pages.end - pages.first)}, *runs);
}

Result<FilePages::Changed> FilePages::share_later(Transaction& transaction, const FilePages& source, PageSpan pages,
                                                  std::size_t most, std::vector<PageRange>& shown) const {
  auto runs = source.list_.between(transaction, pages.first, pages.end, most + 1);
  if (!runs) {
    return tl::unexpected(runs.error());
  }
  const std::uint64_t end = take_most(*runs, pages.end, most);
  for (const Run& run : *runs) {
    shown.push_back({run.value, run.count});
  }
  if (pages.first == 0) {
    list_.insert(transaction, *runs);
  } else if (auto replaced = list_.replace(transaction, pages.first, end, *runs); !replaced) {
    return tl::unexpected(replaced.error());
  }
  return Changed{end, count_of(*runs)};
}

Result<std::int64_t> FilePages::punch(Transaction& transaction, PageSpan pages) const {
  return show(transaction, pages, {});
}

Result<std::int64_t> FilePages::show(Transaction& transaction, PageSpan pages, const std::vector<Run>& fresh) const {
  const auto old = list_.between(transaction, pages.first, pages.end);
  if (!old) {
    return tl::unexpected(old.error());
  }
  if (auto dropped = drop_all(transaction, shown(*old)); !dropped) {
    return tl::unexpected(dropped.error());
  }
  return replace(transaction, pages, *old, fresh);
}

Result<FilePages::Changed> FilePages::punch_some(Transaction& transaction, PageSpan pages, std::size_t most) const {
  const auto part = within(transaction, pages, most);
  if (!part) {
    return tl::unexpected(part.error());
  }
  return punch(transaction, *part).map([&](std::int64_t more) { return Changed{part->end, more}; });
}

Result<std::optional<std::uint64_t>> FilePages::find(const Reader& reader, PageSpan pages, bool hole) const {
  std::uint64_t at = pages.first;
  while (at < pages.end) {
    const auto runs = list_.between(reader, at, pages.end, 1);
    if (!runs) {
      return tl::unexpected(runs.error());
    }
    const bool there = !runs->empty() && runs->front().first == at;
    if (there != hole) {
      return at;
    }
    if (runs->empty()) {
      return std::nullopt;
    }
    at = there ? runs->front().end() : runs->front().first;
  }
  return std::nullopt;
}

Result<PageSpan> FilePages::within(const Reader& reader, PageSpan pages, std::size_t most) const {
  auto runs = list_.between(reader, pages.first, pages.end, most + 1);
  if (!runs) {
    return tl::unexpected(runs.error());
  }
  return PageSpan{pages.first, take_most(*runs, pages.end, most)};
}

Result<std::uint64_t> FilePages::count(const Reader& reader, PageSpan pages) const {
  const auto runs = list_.between(reader, pages.first, pages.end);
  if (!runs) {
    return tl::unexpected(runs.error());
  }
  return static_cast<std::uint64_t>(count_of(*runs));
}

namespace {

// Each range that is removed as one is looked at by every later read, until RocksDB has put its files in order.
void remove_bytes(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* table, PageRange pages) {
  const std::uint64_t end = pages.first + pages.count;
  if (pages.count > kShortRun) {
    batch.DeleteRange(table, encode({pages.first}), encode({end})).PermitUncheckedError();
    return;
  }
  for (std::uint64_t page = pages.first; page < end; ++page) {
    batch.Delete(table, encode({page})).PermitUncheckedError();
  }
}

}  // namespace

// Outside of transactions: nobody can come to need these pages again, and a range is one entry of the batch.
Result<Reaped> reap_pages(Database& database) {
  const std::unique_ptr<rocksdb::Iterator> freed(
      database.db().NewIterator(rocksdb::ReadOptions(), database.table(Table::freed)));
  Reaped reaped;
  rocksdb::WriteBatch batch;
  std::size_t runs = 0;
  for (freed->SeekToFirst(); freed->Valid() && runs < kReapedRuns && reaped.count < kReapedAtOnce; freed->Next()) {
    const auto key = decode<1>(freed->key().ToStringView());
    const auto value = decode<1>(freed->value().ToStringView());
    if (!key || !value) {
      return fail(EIO, "the store is damaged: its table of freed pages has an entry that is none");
    }
    const std::uint64_t first = (*key)[0];
    const std::uint64_t count = std::min((*value)[0], kReapedAtOnce - reaped.count);
    const std::uint64_t end = first + count;
    remove_bytes(batch, database.table(Table::pages), {first, count});
    batch.Delete(database.table(Table::freed), freed->key()).PermitUncheckedError();
    if (count < (*value)[0]) {
      batch.Put(database.table(Table::freed), encode({end}), encode({(*value)[0] - count})).PermitUncheckedError();
    }
    const std::uint64_t begin = runs == 0 ? first : reaped.between.first;
    reaped.between = {begin, end - begin};
    reaped.count += count;
    ++runs;
  }
  auto good = result_of(freed->status(), "looking for freed pages");
  if (good && runs > 0) {
    good = result_of(database.db().Write(rocksdb::WriteOptions(), &batch), "removing freed pages");
  }
  return good ? Result<Reaped>(reaped) : tl::unexpected(good.error());
}

Result<void> give_room_back(Database& database, PageRange pages, bool tight) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  if (tight) {
    options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
    options.blob_garbage_collection_age_cutoff = 1;
  }
  const std::string first = encode({pages.first});
  const std::string last = encode({pages.first + pages.count});
  const rocksdb::Slice begin(first);
  const rocksdb::Slice end(last);
  return result_of(database.db().CompactRange(options, database.table(Table::pages), &begin, &end),
                   "giving the room of freed pages back");
}

}  // namespace dmmap::store
