#include "servers/store/pages/page_references.h"

#include <algorithm>
#include <utility>

namespace dmmap::store {

namespace {

const RunTable& table() {
  static const RunTable shares(Table::shares, "", RunTable::Values::same, PageReferences::kBlock);
  return shares;
}

}  // namespace

Result<std::vector<Run>> PageReferences::of(const Reader& reader, PageRange pages) {
  const std::uint64_t end = pages.first + pages.count;
  const auto shared = table().between(reader, pages.first, end);
  if (!shared) {
    return tl::unexpected(shared.error());
  }
  std::vector<Run> all;
  std::uint64_t at = pages.first;
  for (const Run& run : *shared) {
    if (run.first > at) {
      all.push_back({at, run.first - at, 1});
    }
    all.push_back(run);
    at = run.end();
  }
  if (at < end) {
    all.push_back({at, end - at, 1});
  }
  return all;
}

Result<void> PageReferences::set(Transaction& transaction, PageRange pages, const std::vector<Run>& references) {
  std::vector<Run> shared;
  for (const Run& run : references) {
    if (run.value > 1) {
      shared.push_back(run);
    }
  }
  return table().replace(transaction, pages.first, pages.first + pages.count, shared);
}

Result<void> PageReferences::add(Transaction& transaction, PageRange pages) {
  auto references = of(transaction, pages);
  if (!references) {
    return tl::unexpected(references.error());
  }
  for (Run& run : *references) {
    ++run.value;
  }
  return set(transaction, pages, *references);
}

Result<void> PageReferences::add_all(Transaction& transaction, std::vector<PageRange> pages) {
  std::sort(pages.begin(), pages.end());
  while (!pages.empty()) {
    // One chain of ranges, and what overlaps with it is for the next.
    PageRange chain = pages.front();
    std::vector<PageRange> rest;
    for (std::size_t each = 1; each < pages.size(); ++each) {
      const std::uint64_t end = chain.first + chain.count;
      if (pages[each].first == end) {
        chain.count += pages[each].count;
      } else if (pages[each].first > end) {
        if (auto added = add(transaction, chain); !added) {
          return added;
        }
        chain = pages[each];
      } else {
        rest.push_back(pages[each]);
      }
    }
    if (auto added = add(transaction, chain); !added) {
      return added;
    }
    pages = std::move(rest);
  }
  return {};
}

Result<std::vector<PageRange>> PageReferences::drop(Transaction& transaction, PageRange pages) {
  auto references = of(transaction, pages);
  if (!references) {
    return tl::unexpected(references.error());
  }
  std::vector<PageRange> unused;
  for (Run& run : *references) {
    if (--run.value == 0) {
      unused.push_back({run.first, run.count});
    }
  }
  if (auto done = set(transaction, pages, *references); !done) {
    return tl::unexpected(done.error());
  }
  return unused;
}

}  // namespace dmmap::store
