#include "servers/store/tree/snapshot.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "servers/store/content/content.h"
#include "servers/store/tree/tree.h"
#include "servers/store/tree/xattrs.h"

namespace dmmap::store {

namespace {

constexpr std::size_t kEntriesAtOnce = 500;
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
    // Files are mostly written in the order that they are listed in, so their pages become shared in the order of their
    // numbers: one run grows.
    std::reverse(tasks_.begin() + static_cast<std::ptrdiff_t>(at) + 1, tasks_.end());
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
  const auto shared = Content(*to).share(transaction, *from, task.offset, from->size, task.offset);
  if (!shared) {
    return tl::unexpected(shared.error());
  }
  put_inode(transaction, *to);
  task.offset += *shared;
  return task.offset >= from->size;
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
