#include "servers/store/tree/snapshot.h"

#include <cstddef>
#include <utility>

#include "servers/store/pages/file_pages.h"
#include "servers/store/pages/page_references.h"
#include "servers/store/tree/tree.h"
#include "servers/store/tree/xattrs.h"

namespace dmmap::store {

namespace {

constexpr std::size_t kEntriesAtOnce = 500;
constexpr std::size_t kRunsAtOnce = 1000;
constexpr std::size_t kBytesAtOnce = 4U << 20U;  // of a transaction

}  // namespace

Result<Inode> Snapshot::copied(Transaction& transaction, const Inode& from) {
  const auto number = new_file(transaction);
  if (!number) {
    return tl::unexpected(number.error());
  }
  Inode copy = from;
  copy.file = *number;
  copy.links = 0;
  copy.pages = 0;
  copy.parent = {};
  copy.next_position = 1;
  copy.changed = copy.born = now_;
  if (copy.is_directory()) {
    copy.size = 0;
  }
  const auto xattrs = Xattrs(from.file).copy(transaction, copy.file);
  if (!xattrs) {
    return tl::unexpected(xattrs.error());
  }
  if ((from.pages != 0 && from.size != 0) || from.is_directory()) {
    tasks_.push_back({from.file, copy.file});
  }
  return copy;
}

Result<void> Snapshot::build() {
  {
    Transaction transaction(database_);
    const auto source = get_inode(transaction, source_);
    if (!source) {
      return tl::unexpected(source.error());
    }
    const auto copy = copied(transaction, *source);
    if (!copy) {
      return tl::unexpected(copy.error());
    }
    put_inode(transaction, *copy);
    transaction.put(Table::orphans, key_of(copy->file), "");
    if (auto committed = transaction.commit(); !committed) {
      return committed;
    }
    copy_ = copy->file;
  }
  while (!tasks_.empty()) {
    Transaction transaction(database_);
    if (auto done = step(transaction); !done) {
      return done;
    }
    // All at once: files that were written one after another have pages side by side, whose counts are one entry.
    if (auto added = PageReferences::add_all(transaction, std::exchange(shown_, {})); !added) {
      return added;
    }
    if (auto committed = transaction.commit(); !committed) {
      return committed;
    }
  }
  return {};
}

// Many small files go into one transaction.
Result<void> Snapshot::step(Transaction& transaction) {
  while (!tasks_.empty() && transaction.size() < kBytesAtOnce) {
    // What it leads to comes after it, and so is done before it goes on.
    const std::size_t at = tasks_.size() - 1;
    Task task = tasks_[at];
    const auto inode = get_inode(transaction, task.from);
    if (!inode) {
      return tl::unexpected(inode.error());
    }
    const auto done = inode->is_directory() ? copy_entries(transaction, task) : copy_bytes(transaction, task);
    if (!done) {
      return tl::unexpected(done.error());
    }
    tasks_[at] = task;
    if (*done) {
      tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  return {};
}

Result<bool> Snapshot::copy_entries(Transaction& transaction, Task& task) {
  auto to = get_inode(transaction, task.to);
  if (!to) {
    return tl::unexpected(to.error());
  }
  const auto entries = Directory(task.from).list(transaction, task.position, kEntriesAtOnce);
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  bool all = entries->size() < kEntriesAtOnce;
  for (const Named& entry : *entries) {
    if (transaction.size() >= kBytesAtOnce) {
      all = false;
      break;
    }
    const auto known = copies_.find(entry.file.value);
    const bool first = known == copies_.end();
    auto copy = get_inode(transaction, first ? entry.file : known->second);
    if (copy && first) {
      const bool several = !copy->is_directory() && copy->links > 1;
      copy = copied(transaction, *copy);
      if (copy && several) {
        copies_[entry.file.value] = copy->file;
      }
    }
    if (!copy) {
      return tl::unexpected(copy.error());
    }
    copy->links += copy->is_directory() ? 2U : 1U;
    copy->parent = copy->is_directory() ? task.to : FileId{};
    Directory(task.to).add(transaction, *to, entry.name, *copy);
    put_inode(transaction, *copy);
    task.position = entry.position;
  }
  put_inode(transaction, *to);
  return all;
}

Result<bool> Snapshot::copy_bytes(Transaction& transaction, Task& task) {
  const auto from = get_inode(transaction, task.from);
  auto to = get_inode(transaction, task.to);
  if (!from || !to) {
    return tl::unexpected(!from ? from.error() : to.error());
  }
  const FilePages original(task.from);
  const std::uint64_t end = (from->size + kStorePage - 1) / kStorePage;
  const auto done = FilePages(task.to).share_later(transaction, original, {task.page, end}, kRunsAtOnce, shown_);
  if (!done) {
    return tl::unexpected(done.error());
  }
  to->pages += static_cast<std::uint64_t>(done->more);
  put_inode(transaction, *to);
  task.page = done->end;
  return done->end == end;
}

Result<Inode> Snapshot::name_it(FileId directory, std::string_view name) {
  Transaction transaction(database_);
  auto named = Tree(transaction, now_).adopt(copy_, directory, name);
  if (!named) {
    return named;
  }
  if (auto committed = transaction.commit(); !committed) {
    return tl::unexpected(committed.error());
  }
  copy_ = {};
  return named;
}

}  // namespace dmmap::store
