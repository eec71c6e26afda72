#include "servers/store/tree/tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace dmmap::store {

namespace {

constexpr std::string_view kFileNumbers = "file";
constexpr std::uint64_t kMostLinks = 1U << 31U;

Result<void> check_name(std::string_view name) {
  if (name.size() > kLongestName) {
    return fail(ENAMETOOLONG, fmt::format("a name of {} bytes; {} are the most", name.size(), kLongestName));
  }
  return {};
}

tl::unexpected<Error> exists(std::string_view name) {
  return fail(EEXIST, fmt::format("{} is there already", name));
}

}  // namespace

Result<FileId> new_file(Transaction& transaction) {
  const auto number = transaction.next_numbers(kFileNumbers, 1);
  return number ? Result<FileId>(FileId{*number}) : tl::unexpected(number.error());
}

void Tree::touch(Inode& directory) const {
  directory.modified = now_;
  directory.changed = now_;
}

Result<void> Tree::make_root(std::uint32_t uid, std::uint32_t gid) {
  const auto number = new_file(transaction_);
  if (!number) {
    return tl::unexpected(number.error());
  }
  if (*number != kRootFile) {
    return fail(EEXIST, "the store has a root directory");
  }
  Inode root;
  root.file = kRootFile;
  root.parent = kRootFile;
  root.mode = S_IFDIR | 0755U;
  root.uid = uid;
  root.gid = gid;
  root.links = 2;
  root.accessed = root.modified = root.changed = root.born = now_;
  put_inode(transaction_, root);
  return {};
}

// A directory that may get names.
Result<Inode> Tree::directory_of(FileId directory) {
  auto inode = get_inode(transaction_, directory);
  if (inode && !inode->is_directory()) {
    return fail(ENOTDIR, fmt::format("file {} is no directory", directory.value));
  }
  if (inode && inode->links == 0) {
    return fail(ENOENT, fmt::format("directory {} was removed", directory.value));
  }
  return inode;
}

Result<Named> Tree::named(FileId directory, std::string_view name) {
  auto entry = Directory(directory).find(transaction_, name);
  if (!entry) {
    return tl::unexpected(entry.error());
  }
  if (!*entry) {
    return fail(ENOENT, fmt::format("there's no {}", name));
  }
  return std::move(**entry);
}

Result<Inode> Tree::fresh(const Inode& directory, const NewFile& file) {
  const auto number = new_file(transaction_);
  if (!number) {
    return tl::unexpected(number.error());
  }
  Inode inode;
  inode.file = *number;
  inode.mode = file.mode;
  inode.uid = file.uid;
  inode.gid = file.gid;
  if ((directory.mode & S_ISGID) != 0) {
    inode.gid = directory.gid;
    inode.mode |= S_ISDIR(file.mode) ? static_cast<std::uint32_t>(S_ISGID) : 0U;
  }
  inode.rdev = file.rdev;
  inode.target = file.target;
  inode.size = file.target.size();
  inode.accessed = inode.modified = inode.changed = inode.born = now_;
  return inode;
}

Result<void> Tree::name_it(Inode& directory, std::string_view name, const Inode& file) {
  if (auto good = check_name(name); !good) {
    return good;
  }
  const Directory names(directory.file);
  const auto taken = names.find(transaction_, name);
  if (!taken) {
    return tl::unexpected(taken.error());
  }
  if (*taken) {
    return exists(name);
  }
  names.add(transaction_, directory, name, file);
  touch(directory);
  put_inode(transaction_, directory);
  return {};
}

Result<Inode> Tree::make(FileId directory, std::string_view name, const NewFile& file) {
  auto in = directory_of(directory);
  if (!in) {
    return in;
  }
  auto inode = fresh(*in, file);
  if (!inode) {
    return inode;
  }
  inode->links = inode->is_directory() ? 2 : 1;
  inode->parent = inode->is_directory() ? directory : FileId{};
  if (auto done = name_it(*in, name, *inode); !done) {
    return tl::unexpected(done.error());
  }
  put_inode(transaction_, *inode);
  return inode;
}

Result<Inode> Tree::make_unnamed(FileId directory, const NewFile& file) {
  const auto in = directory_of(directory);
  if (!in) {
    return tl::unexpected(in.error());
  }
  auto inode = fresh(*in, file);
  if (inode) {
    put_inode(transaction_, *inode);
    transaction_.put(Table::orphans, key_of(inode->file), "");
  }
  return inode;
}

Result<Inode> Tree::adopt(FileId orphan, FileId directory, std::string_view name) {
  auto in = directory_of(directory);
  if (!in) {
    return in;
  }
  auto inode = get_inode(transaction_, orphan);
  if (!inode) {
    return inode;
  }
  if (auto done = name_it(*in, name, *inode); !done) {
    return tl::unexpected(done.error());
  }
  inode->links += inode->is_directory() ? 2U : 1U;
  inode->parent = inode->is_directory() ? directory : FileId{};
  put_inode(transaction_, *inode);
  transaction_.remove(Table::orphans, key_of(orphan));
  return inode;
}

Result<Inode> Tree::link(FileId file, FileId directory, std::string_view name) {
  auto in = directory_of(directory);
  if (!in) {
    return in;
  }
  auto inode = get_inode(transaction_, file);
  if (!inode) {
    return inode;
  }
  if (inode->is_directory()) {
    return fail(EPERM, "a directory can't have two names");
  }
  if (inode->links >= kMostLinks) {
    return fail(EMLINK, fmt::format("a file with {} names", inode->links));
  }
  if (auto done = name_it(*in, name, *inode); !done) {
    return tl::unexpected(done.error());
  }
  if (inode->links++ == 0) {
    transaction_.remove(Table::orphans, key_of(file));
  }
  inode->changed = now_;
  put_inode(transaction_, *inode);
  return inode;
}

// Takes an entry away; the file that has no other becomes an orphan. A directory's is its only one.
Result<Inode> Tree::lose_name(FileId directory, const Named& entry) {
  auto in = get_inode(transaction_, directory);
  if (!in) {
    return in;
  }
  auto inode = get_inode(transaction_, entry.file);
  if (!inode) {
    return inode;
  }
  Directory(directory).remove(transaction_, *in, entry);
  touch(*in);
  put_inode(transaction_, *in);
  inode->links = inode->is_directory() ? 0 : inode->links - 1;
  inode->changed = now_;
  put_inode(transaction_, *inode);
  if (inode->links == 0) {
    transaction_.put(Table::orphans, key_of(entry.file), "");
  }
  return inode;
}

Result<Inode> Tree::unlink(FileId directory, std::string_view name) {
  const auto entry = named(directory, name);
  if (!entry) {
    return tl::unexpected(entry.error());
  }
  if (S_ISDIR(entry->type)) {
    return fail(EISDIR, fmt::format("{} is a directory", name));
  }
  return lose_name(directory, *entry);
}

Result<Inode> Tree::rmdir(FileId directory, std::string_view name) {
  const auto entry = named(directory, name);
  if (!entry) {
    return tl::unexpected(entry.error());
  }
  if (!S_ISDIR(entry->type)) {
    return fail(ENOTDIR, fmt::format("{} is no directory", name));
  }
  const auto inode = get_inode(transaction_, entry->file);
  if (!inode) {
    return tl::unexpected(inode.error());
  }
  if (inode->size != 0) {
    return fail(ENOTEMPTY, fmt::format("{} isn't empty", name));
  }
  return lose_name(directory, *entry);
}

// A directory that comes to lie in another says so; the numbers of links were kept with the entries.
void Tree::put_moved(Inode& inode, FileId directory) {
  if (inode.is_directory()) {
    inode.parent = directory;
  }
  inode.changed = now_;
  put_inode(transaction_, inode);
}

// The kernel sees to this too, as far as it knows the directories (fs/namei.c, lock_rename); a tree that is none could
// never be mended.
Result<void> Tree::not_within(FileId directory, FileId file) {
  while (directory != kRootFile) {
    if (directory == file) {
      return fail(EINVAL, "a directory can't be moved into itself");
    }
    const auto inode = get_inode(transaction_, directory);
    if (!inode) {
      return tl::unexpected(inode.error());
    }
    directory = inode->parent;
  }
  return {};
}

Result<void> Tree::exchange(FileId directory, const Named& entry, FileId new_directory, const Named& other) {
  auto inode = get_inode(transaction_, entry.file);
  auto other_inode = get_inode(transaction_, other.file);
  auto from = get_inode(transaction_, directory);
  auto to = get_inode(transaction_, new_directory);
  for (const auto* each : {&inode, &other_inode, &from, &to}) {
    if (!*each) {
      return tl::unexpected(each->error());
    }
  }
  Directory(directory).redirect(transaction_, entry, *other_inode);
  Directory(new_directory).redirect(transaction_, other, *inode);
  if (directory != new_directory && inode->is_directory() != other_inode->is_directory()) {
    (inode->is_directory() ? to : from)->links++;
    (inode->is_directory() ? from : to)->links--;
  }
  touch(*from);
  put_inode(transaction_, *from);
  if (directory != new_directory) {
    touch(*to);
    put_inode(transaction_, *to);
  }
  put_moved(*inode, new_directory);
  put_moved(*other_inode, directory);
  return {};
}

Result<void> Tree::make_whiteout(FileId directory, std::string_view name) {
  // As overlayfs knows it (renameat2(2)).
  const auto made = make(directory, name, {.mode = S_IFCHR});
  return made ? Result<void>() : tl::unexpected(made.error());
}

Result<std::optional<Inode>> Tree::rename(FileId directory, std::string_view name, FileId new_directory,
                                          std::string_view new_name, std::uint32_t flags) {
  const bool swap = (flags & RENAME_EXCHANGE) != 0;
  if ((flags & ~static_cast<std::uint32_t>(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0 ||
      (swap && flags != RENAME_EXCHANGE)) {
    return fail(EINVAL, fmt::format("rename flags {:#x}", flags));
  }
  if (auto good = check_name(new_name); !good) {
    return tl::unexpected(good.error());
  }
  const auto entry = named(directory, name);
  if (!entry) {
    return tl::unexpected(entry.error());
  }
  if (auto in = directory_of(new_directory); !in) {
    return tl::unexpected(in.error());
  }
  const auto other = Directory(new_directory).find(transaction_, new_name);
  if (!other) {
    return tl::unexpected(other.error());
  }
  if (swap && !*other) {
    return fail(ENOENT, fmt::format("there's no {}", new_name));
  }
  if (*other && (flags & RENAME_NOREPLACE) != 0) {
    return exists(new_name);
  }
  if (*other && (*other)->file == entry->file) {
    return std::nullopt;  // two names of one file: nothing is done (rename(2))
  }
  if (S_ISDIR(entry->type)) {
    if (auto good = not_within(new_directory, entry->file); !good) {
      return tl::unexpected(good.error());
    }
  }
  if (swap) {
    if (S_ISDIR((*other)->type)) {
      if (auto good = not_within(directory, (*other)->file); !good) {
        return tl::unexpected(good.error());
      }
    }
    const auto done = exchange(directory, *entry, new_directory, **other);
    return done ? Result<std::optional<Inode>>(std::nullopt) : tl::unexpected(done.error());
  }
  std::optional<Inode> gone;
  if (*other) {
    if (S_ISDIR(entry->type) && !S_ISDIR((*other)->type)) {
      return fail(ENOTDIR, fmt::format("{} is no directory", new_name));
    }
    auto lost = !S_ISDIR((*other)->type) ? unlink(new_directory, new_name)
                : S_ISDIR(entry->type)   ? rmdir(new_directory, new_name)
                                         : Result<Inode>(fail(EISDIR, fmt::format("{} is a directory", new_name)));
    if (!lost) {
      return tl::unexpected(lost.error());
    }
    gone = std::move(*lost);
  }
  // Anew, since what was replaced may have changed it.
  auto from = get_inode(transaction_, directory);
  if (!from) {
    return tl::unexpected(from.error());
  }
  Directory(directory).remove(transaction_, *from, *entry);
  touch(*from);
  put_inode(transaction_, *from);
  auto to = get_inode(transaction_, new_directory);
  auto inode = get_inode(transaction_, entry->file);
  if (!to || !inode) {
    return tl::unexpected(!to ? to.error() : inode.error());
  }
  if (auto done = name_it(*to, new_name, *inode); !done) {
    return tl::unexpected(done.error());
  }
  put_moved(*inode, new_directory);
  if ((flags & RENAME_WHITEOUT) != 0) {
    if (auto made = make_whiteout(directory, name); !made) {
      return tl::unexpected(made.error());
    }
  }
  return gone;
}

}  // namespace dmmap::store
