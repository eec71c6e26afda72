// What becomes of files without a name.
#include <dmmap/error.h>

#include <fmt/format.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "servers/store/kv/numbers.h"
#include "servers/store/tree/tree.h"

namespace dmmap::store {

namespace {

constexpr std::size_t kAtOnce = 1000;  // runs of pages, or extended attributes

// Takes at most kAtOnce attributes away. Returns whether there may be more.
Result<bool> remove_xattrs(Transaction& transaction, FileId file) {
  const std::string prefix = key_of(file);
  std::vector<std::string> keys;
  {
    Cursor cursor = transaction.scan(Table::xattrs, KeyRange::of(prefix));
    for (cursor.seek(prefix); keys.size() < kAtOnce && cursor.valid(); cursor.next()) {
      keys.emplace_back(cursor.key());
    }
    if (auto good = cursor.status(); !good) {
      return tl::unexpected(good.error());
    }
  }
  for (const std::string& key : keys) {
    transaction.remove(Table::xattrs, key);
  }
  return keys.size() == kAtOnce;
}

// Takes at most kAtOnce names of an orphan directory away. What has no other is an orphan itself then. Returns whether
// there may be more.
Result<bool> remove_names(Transaction& transaction, Inode& directory, std::vector<FileId>& orphaned) {
  const Directory names(directory.file);
  const auto entries = names.list(transaction, 0, kAtOnce);
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  for (const Named& entry : *entries) {
    auto inode = get_inode(transaction, entry.file);
    if (!inode) {
      return tl::unexpected(inode.error());
    }
    names.remove(transaction, directory, entry);
    inode->links -= inode->is_directory() ? 2U : 1U;
    put_inode(transaction, *inode);
    if (inode->is_directory() || inode->links == 0) {
      transaction.put(Table::orphans, key_of(entry.file), "");
      orphaned.push_back(entry.file);
    }
  }
  return entries->size() == kAtOnce;
}

}  // namespace

Result<Removed> remove_orphan(Database& database, FileId file) {
  Transaction transaction(database);
  auto inode = get_inode(transaction, file);
  if (!inode) {
    return tl::unexpected(inode.error());
  }
  const auto orphan = transaction.get(Table::orphans, key_of(file));
  if (!orphan) {
    return tl::unexpected(orphan.error());
  }
  if (!*orphan) {
    return fail(EBUSY, fmt::format("file {} has a name", file.value));
  }
  Removed removed;
  const FilePages pages(file);
  constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();
  const auto punched = pages.punch_some(transaction, {0, kEnd}, kAtOnce);
  if (!punched) {
    return tl::unexpected(punched.error());
  }
  bool more = punched->end != kEnd;
  if (!more && inode->is_directory()) {
    const auto names = remove_names(transaction, *inode, removed.orphaned);
    if (!names) {
      return tl::unexpected(names.error());
    }
    more = *names;
  }
  if (!more) {
    const auto others = remove_xattrs(transaction, file);
    if (!others) {
      return tl::unexpected(others.error());
    }
    more = *others;
  }
  if (more) {
    inode->pages += static_cast<std::uint64_t>(punched->more);
    put_inode(transaction, *inode);
  } else {
    remove_inode(transaction, file);
    transaction.remove(Table::orphans, key_of(file));
    transaction.remove(Table::excess, key_of(file));
  }
  removed.more = more;
  const auto committed = transaction.commit();
  return committed ? Result<Removed>(std::move(removed)) : tl::unexpected(committed.error());
}

Result<std::optional<FileId>> next_orphan(const Reader& reader, FileId file) {
  Cursor cursor = reader.scan(Table::orphans, KeyRange::all());
  cursor.seek(encode({file.value + 1}));
  if (!cursor.valid()) {
    const auto good = cursor.status();
    return good ? Result<std::optional<FileId>>(std::nullopt) : tl::unexpected(good.error());
  }
  const auto number = decode<1>(cursor.key());
  if (!number) {
    return fail(EIO, "the store is damaged: its table of orphans has an entry that is none");
  }
  return FileId{(*number)[0]};
}

}  // namespace dmmap::store
