#include "store/page_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <span>

#include "servers/store/pages/file_pages.h"
#include "servers/store/pages/page_check.h"

namespace dmmap::store::testing {

namespace {

FilePages file_of(std::uint64_t file) {
  return FilePages(FileId{file + 1});
}

// Differs from page to page, and ends in zeros, as files do.
std::vector<std::byte> page_with(std::uint8_t fill) {
  std::vector<std::byte> page(kStorePage);
  std::fill_n(page.begin(), std::size_t{16} * fill, std::byte{fill});
  return page;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  constexpr std::array<const char*, 3> kVerbs{"write", "share", "punch"};
  return out << kVerbs.at(static_cast<std::size_t>(operation.verb)) << " file " << operation.file << " page "
             << operation.page << " + " << operation.count << " from " << operation.source_file << ":"
             << operation.source_page << " fill " << static_cast<int>(operation.fill);
}

Operation fitted(Operation operation) {
  operation.file %= PageModel::kFiles;
  operation.source_file %= PageModel::kFiles;
  operation.page %= PageModel::kPages;
  operation.source_page %= PageModel::kPages;
  const std::uint64_t room =
      PageModel::kPages -
      (operation.verb == Verb::share ? std::max(operation.page, operation.source_page) : operation.page);
  operation.count = 1 + operation.count % room;
  if (operation.verb == Verb::share && operation.file == operation.source_file) {
    const std::uint64_t apart = operation.page > operation.source_page ? operation.page - operation.source_page
                                                                       : operation.source_page - operation.page;
    if (apart == 0) {
      operation.verb = Verb::punch;
    } else {
      operation.count = std::min(operation.count, apart);
    }
  }
  return operation;
}

void PageModel::apply(const Operation& operation) {
  const auto source = files_.at(operation.source_file);
  for (std::uint64_t each = 0; each < operation.count; ++each) {
    auto& page = files_.at(operation.file).at(operation.page + each);
    switch (operation.verb) {
      case Verb::write:
        page = static_cast<std::uint8_t>(operation.fill + each);
        break;
      case Verb::share:
        page = source.at(operation.source_page + each);
        break;
      case Verb::punch:
        page.reset();
        break;
    }
  }
}

std::int64_t PageModel::pages_of(std::uint64_t file) const {
  const auto& pages = files_.at(file);
  return std::count_if(pages.begin(), pages.end(), [](const auto& page) { return page.has_value(); });
}

std::string PageModel::difference(const Reader& reader) const {
  for (std::uint64_t file = 0; file < kFiles; ++file) {
    const FilePages pages = file_of(file);
    std::vector<std::byte> seen(kPages * kStorePage);
    if (const auto read = pages.read(reader, 0, seen); !read) {
      return read.error().message;
    }
    for (std::uint64_t page = 0; page < kPages; ++page) {
      const auto& expected = files_.at(file).at(page);
      const auto hole = pages.find(reader, {page, page + 1}, true);
      if (!hole || hole->has_value() == expected.has_value()) {
        return fmt::format("file {} page {}: {}", file, page, expected ? "a hole" : "no hole");
      }
      const auto bytes = page_with(expected.value_or(0));
      if (!std::equal(bytes.begin(), bytes.end(), seen.begin() + static_cast<std::ptrdiff_t>(page * kStorePage))) {
        return fmt::format("file {} page {}: other bytes", file, page);
      }
    }
    if (const auto counted = pages.count(reader, {0, kPages});
        !counted || static_cast<std::int64_t>(*counted) != pages_of(file)) {
      return fmt::format("file {} has another number of pages", file);
    }
  }
  return "";
}

Result<std::int64_t> apply(Transaction& transaction, const Operation& operation) {
  const FilePages pages = file_of(operation.file);
  switch (operation.verb) {
    case Verb::write: {
      std::vector<std::byte> bytes;
      for (std::uint64_t each = 0; each < operation.count; ++each) {
        const auto page = page_with(static_cast<std::uint8_t>(operation.fill + each));
        bytes.insert(bytes.end(), page.begin(), page.end());
      }
      return pages.write(transaction, operation.page, bytes);
    }
    case Verb::share:
      return pages.share(transaction, file_of(operation.source_file),
                         {operation.source_page, operation.source_page + operation.count}, operation.page);
    case Verb::punch:
      return pages.punch(transaction, {operation.page, operation.page + operation.count});
  }
  return 0;
}

std::string damage(const Reader& reader) {
  std::string all;
  const auto counts = check_pages(reader, [&](const std::string& text) { all += text + "\n"; });
  return counts ? all : all + counts.error().message;
}

}  // namespace dmmap::store::testing
