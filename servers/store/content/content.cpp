#include "servers/store/content/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace dmmap::store {

namespace {

constexpr std::size_t kRunsAtOnce = 1000;
constexpr std::uint64_t kEndOfPages = kLargestFile / kStorePage + 1;

std::uint64_t page_of(std::uint64_t offset) {
  return offset / kStorePage;
}
std::uint64_t pages_for(std::uint64_t size) {
  return size / kStorePage + (size % kStorePage != 0 ? 1 : 0);
}
std::uint64_t start_of(std::uint64_t page) {
  return page * kStorePage;
}

Result<void> check_size(std::uint64_t offset, std::uint64_t length) {
  if (offset > kLargestFile || length > kLargestFile - offset) {
    return fail(EFBIG, fmt::format("{} bytes at offset {}; files have at most {}", length, offset, kLargestFile));
  }
  return {};
}

}  // namespace

Result<std::size_t> Content::read(const Reader& reader, std::uint64_t offset, std::span<std::byte> to) const {
  if (offset >= inode_.size) {
    return std::size_t{0};
  }
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), inode_.size - offset));
  if (offset % kStorePage == 0 && size % kStorePage == 0) {
    const auto read = pages_.read(reader, page_of(offset), to.first(size));
    return read ? Result<std::size_t>(size) : tl::unexpected(read.error());
  }
  std::vector<std::byte> pages((pages_for(offset + size) - page_of(offset)) * kStorePage);
  if (auto read = pages_.read(reader, page_of(offset), pages); !read) {
    return tl::unexpected(read.error());
  }
  std::memcpy(to.data(), pages.data() + offset % kStorePage, size);
  return size;
}

Result<void> Content::write(Transaction& transaction, std::uint64_t offset, std::span<const std::byte> from) {
  if (auto good = check_size(offset, from.size()); !good || from.empty()) {
    return good;
  }
  const std::uint64_t end = offset + from.size();
  std::vector<std::byte> whole;
  std::span<const std::byte> pages = from;
  if (offset % kStorePage != 0 || end % kStorePage != 0) {
    // With what the first and the last page have besides.
    whole.resize((pages_for(end) - page_of(offset)) * kStorePage);
    const std::span<std::byte> all(whole);
    const bool one = whole.size() == kStorePage;
    if (offset % kStorePage != 0 || one) {
      if (auto read = pages_.read(transaction, page_of(offset), all.first(kStorePage)); !read) {
        return read;
      }
    }
    if (end % kStorePage != 0 && !one) {
      if (auto read = pages_.read(transaction, page_of(end), all.last(kStorePage)); !read) {
        return read;
      }
    }
    std::memcpy(whole.data() + offset % kStorePage, from.data(), from.size());
    pages = whole;
  }
  const auto more = pages_.write(transaction, page_of(offset), pages);
  if (!more) {
    return tl::unexpected(more.error());
  }
  count(*more);
  inode_.size = std::max(inode_.size, end);
  return {};
}

// Within one page; a hole is zeros already.
Result<void> Content::zero(Transaction& transaction, std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t page = page_of(begin);
  const auto hole = pages_.find(transaction, {page, page + 1}, true);
  if (!hole || *hole || begin == end) {
    return hole ? Result<void>() : tl::unexpected(hole.error());
  }
  std::vector<std::byte> bytes(kStorePage);
  if (auto read = pages_.read(transaction, page, bytes); !read) {
    return read;
  }
  std::memset(bytes.data() + (begin - start_of(page)), 0, end - begin);
  const auto more = pages_.write(transaction, page, bytes);
  return more ? Result<void>() : tl::unexpected(more.error());
}

Result<bool> Content::resize(Transaction& transaction, std::uint64_t size) {
  if (auto good = check_size(size, 0); !good) {
    return tl::unexpected(good.error());
  }
  const std::uint64_t old = std::exchange(inode_.size, size);
  if (size >= old) {
    return false;
  }
  if (size % kStorePage != 0) {
    const std::uint64_t end = std::min(start_of(page_of(size) + 1), old);
    if (auto zeroed = zero(transaction, size, end); !zeroed) {
      return tl::unexpected(zeroed.error());
    }
  }
  return trim(transaction);
}

Result<bool> Content::trim(Transaction& transaction) {
  const PageSpan beyond{pages_for(inode_.size), kEndOfPages};
  const auto done = punch_pages(transaction, beyond);
  if (!done) {
    return tl::unexpected(done.error());
  }
  const bool excess = *done != beyond.end;
  if (excess) {
    transaction.put(Table::excess, key_of(inode_.file), "");
  } else {
    transaction.remove(Table::excess, key_of(inode_.file));
  }
  return excess;
}

Result<std::uint64_t> Content::punch_pages(Transaction& transaction, PageSpan pages) {
  const auto punched = pages_.punch_some(transaction, pages, kRunsAtOnce);
  if (!punched) {
    return tl::unexpected(punched.error());
  }
  count(punched->more);
  return punched->end;
}

Result<std::uint64_t> Content::punch(Transaction& transaction, std::uint64_t begin, std::uint64_t end) {
  end = std::min(end, inode_.size);
  if (begin >= end) {
    return end;
  }
  if (page_of(begin) == page_of(end - 1) &&
      (begin % kStorePage != 0 || (end % kStorePage != 0 && end != inode_.size))) {
    const auto zeroed = zero(transaction, begin, end);
    return zeroed ? Result<std::uint64_t>(end) : tl::unexpected(zeroed.error());
  }
  const std::uint64_t first = pages_for(begin);
  if (begin < start_of(first)) {
    if (auto zeroed = zero(transaction, begin, start_of(first)); !zeroed) {
      return tl::unexpected(zeroed.error());
    }
  }
  // What lies beyond the size in the last page is zeros too.
  const bool to_the_end = end == inode_.size;
  const std::uint64_t last = to_the_end ? pages_for(end) : page_of(end);
  const auto done = punch_pages(transaction, {first, std::max(first, last)});
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (*done < last) {
    return start_of(*done);
  }
  if (!to_the_end && end % kStorePage != 0) {
    if (auto zeroed = zero(transaction, start_of(last), end); !zeroed) {
      return tl::unexpected(zeroed.error());
    }
  }
  return end;
}

Result<std::uint64_t> Content::share(Transaction& transaction, const Inode& source, std::uint64_t begin,
                                     std::uint64_t end, std::uint64_t to) {
  end = std::min(end, source.size);
  if (begin >= end || begin % kStorePage != 0 || to % kStorePage != 0) {
    return fail(EOPNOTSUPP, "pages can be shared whole, at places that are multiples of their size");
  }
  if (auto good = check_size(to, end - begin); !good) {
    return tl::unexpected(good.error());
  }
  // The source's last page is zeros beyond its end: good where this file ends there too.
  const bool last_too = end == source.size && to + (end - begin) >= inode_.size;
  const FilePages pages(source.file);
  const auto part = pages.within(transaction, {page_of(begin), last_too ? pages_for(end) : page_of(end)}, kRunsAtOnce);
  if (!part) {
    return tl::unexpected(part.error());
  }
  if (part->first >= part->end) {
    return fail(EOPNOTSUPP, "there's no whole page to share");
  }
  const auto more = pages_.share(transaction, pages, *part, page_of(to));
  if (!more) {
    return tl::unexpected(more.error());
  }
  count(*more);
  const std::uint64_t shared = std::min(start_of(part->end), end) - begin;
  inode_.size = std::max(inode_.size, to + shared);
  return shared;
}

Result<std::uint64_t> Content::seek(const Reader& reader, std::uint64_t offset, bool hole) const {
  if (offset >= inode_.size) {
    return fail(ENXIO, "beyond the file's end");
  }
  const auto found = pages_.find(reader, {page_of(offset), pages_for(inode_.size)}, hole);
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (!*found && !hole) {
    return fail(ENXIO, "no data comes after that");
  }
  return *found ? std::max(offset, start_of(**found)) : inode_.size;
}

Result<bool> Content::is_there(const Reader& reader, FileId file, std::uint64_t offset, std::size_t size) {
  const auto hole = FilePages(file).find(reader, {page_of(offset), pages_for(offset + size)}, true);
  return hole ? Result<bool>(!*hole) : tl::unexpected(hole.error());
}

Result<bool> trim(Database& database, FileId file) {
  Transaction transaction(database);
  auto inode = get_inode(transaction, file);
  if (!inode) {
    return tl::unexpected(inode.error());
  }
  const auto more = Content(*inode).trim(transaction);
  if (!more) {
    return tl::unexpected(more.error());
  }
  put_inode(transaction, *inode);
  const auto committed = transaction.commit();
  return committed ? Result<bool>(*more) : tl::unexpected(committed.error());
}

}  // namespace dmmap::store
