#include "servers/store/pages/page_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "servers/store/kv/complaints.h"
#include "servers/store/kv/numbers.h"
#include "servers/store/pages/file_pages.h"

namespace dmmap::store {

namespace {

// Where the number of places that show a page changes.
struct Step {
  std::uint64_t page = 0;
  std::int64_t change = 0;
  auto operator<=>(const Step&) const = default;
};

class PageCheck {
 public:
  PageCheck(const Reader& reader, const std::function<void(const std::string&)>& complain)
      : reader_(reader), complaints_(complain) {}

  Result<PageCounts> run() {
    if (auto read = read_lists(); !read) {
      return tl::unexpected(read.error());
    }
    if (auto read = read_runs(Table::shares, shares_); !read) {
      return tl::unexpected(read.error());
    }
    if (auto read = read_runs(Table::freed, freed_); !read) {
      return tl::unexpected(read.error());
    }
    compare_counts();
    look_at_freed();
    if (auto read = read_pages(); !read) {
      return tl::unexpected(read.error());
    }
    counts_.damaged = complaints_.count();
    return counts_;
  }

 private:
  Result<void> read_lists() {
    std::pair<std::uint64_t, std::uint64_t> end{};  // of the run before: file, page
    auto done = for_each(reader_, Table::lists, [&](std::string_view entry, std::string_view said) {
      const auto key = decode<2>(entry);
      const auto value = decode<2>(said);
      if (!key || !value || (*value)[0] == 0) {
        complaints_.wrong("an entry of the lists is none");
        return;
      }
      const auto [file, first] = *key;
      const auto [count, page] = *value;
      if (end.first == file && end.second > first) {
        complaints_.wrong(fmt::format("file {} shows two things at page {}", file, first));
      }
      end = {file, first + count};
      counts_.shown += count;
      steps_.push_back({page, 1});
      steps_.push_back({page + count, -1});
    });
    std::sort(steps_.begin(), steps_.end());
    return done;
  }

  Result<void> read_runs(Table table, std::vector<Run>& runs) {
    return for_each(reader_, table, [&](std::string_view key, std::string_view value) {
      const auto first = decode<1>(key);
      const auto shared = decode<2>(value);
      const auto freed = decode<1>(value);
      if (!first || (table == Table::shares ? !shared : !freed)) {
        complaints_.no_entry(table);
        return;
      }
      runs.push_back(shared ? Run{(*first)[0], (*shared)[0], (*shared)[1]} : Run{(*first)[0], (*freed)[0], 0});
    });
  }

  void look_at_freed() {
    auto shown = shown_.cbegin();
    for (const Run& run : freed_) {
      counts_.freed += run.count;
      while (shown != shown_.end() && shown->end() <= run.first) {
        ++shown;
      }
      if (shown != shown_.end() && shown->first < run.end()) {
        complaints_.wrong(fmt::format("pages {} to {} are freed, and some are shown", run.first, run.end() - 1));
      }
    }
  }

  // Goes through the steps, and makes runs of pages that are shown equally often.
  void compare_counts() {
    std::int64_t references = 0;
    for (std::size_t each = 0; each < steps_.size();) {
      const std::uint64_t page = steps_[each].page;
      for (; each < steps_.size() && steps_[each].page == page; ++each) {
        references += steps_[each].change;
      }
      if (references > 0 && each < steps_.size()) {
        const Run run{page, steps_[each].page - page, static_cast<std::uint64_t>(references)};
        append_run(shown_, run, RunTable::Values::same, PageReferences::kBlock);
      }
    }
    std::vector<Run> shared;
    for (const Run& run : shown_) {
      counts_.pages += run.count;
      if (run.value > 1) {
        counts_.shared += run.count;
        shared.push_back(run);
      }
    }
    std::vector<Run> different;
    std::set_symmetric_difference(shared.begin(), shared.end(), shares_.begin(), shares_.end(),
                                  std::back_inserter(different));
    for (const Run& run : different) {
      const bool counted = std::binary_search(shares_.begin(), shares_.end(), run);
      complaints_.wrong(fmt::format("pages {} to {} {} {} places", run.first, run.end() - 1,
                                    counted ? "don't have what is counted:" : "aren't counted to be shown by",
                                    run.value));
    }
  }

  Result<void> read_pages() {
    Cursor cursor = reader_.scan(Table::pages, KeyRange::all());
    cursor.seek("");
    auto freed = freed_.cbegin();
    for (const Run& run : shown_) {
      for (std::uint64_t page = run.first; page < run.end(); ++page) {
        skip_unused(cursor, page, freed);
        const std::string key = encode({page});
        if (cursor.valid() && cursor.key() == key) {
          cursor.next();
        }
        // By itself, so that damage costs one page and not all after it.
        const auto bytes = reader_.get(Table::pages, key);
        if (!bytes) {
          complaints_.wrong(fmt::format("page {} can't be read: {}", page, bytes.error().message));
          cursor.seek(encode({page + 1}));
        } else if (!*bytes || (*bytes)->size() > kStorePage) {
          complaints_.wrong(fmt::format("page {} is {}", page, *bytes ? "too long" : "missing"));
        }
      }
    }
    skip_unused(cursor, UINT64_MAX, freed);
    return cursor.status();
  }

  // Pages before `end` that nothing shows: they're freed ones, or leaked.
  void skip_unused(Cursor& cursor, std::uint64_t end, std::vector<Run>::const_iterator& freed) {
    for (; cursor.valid() && cursor.key() < encode({end}); cursor.next()) {
      const auto key = decode<1>(cursor.key());
      const std::uint64_t page = key ? (*key)[0] : 0;
      while (freed != freed_.end() && freed->end() <= page) {
        ++freed;
      }
      if (freed == freed_.end() || page < freed->first) {
        complaints_.wrong(fmt::format("page {} is shown by nothing, and isn't freed", page));
      }
    }
  }

  const Reader& reader_;
  Complaints complaints_;
  std::vector<Step> steps_;
  std::vector<Run> shown_;   // how many places show them
  std::vector<Run> shares_;  // how many are counted
  std::vector<Run> freed_;
  PageCounts counts_;
};

}  // namespace

Result<PageCounts> check_pages(const Reader& reader, const std::function<void(const std::string&)>& complain) {
  return PageCheck(reader, complain).run();
}

}  // namespace dmmap::store
