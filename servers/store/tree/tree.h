// Tree: a store's names and inodes, as the system calls that make, rename and remove files have them.
//
// Promises: each call is one transaction's part, so it happens wholly or not at all, whatever ends the process. A file
// whose last name goes stays as an orphan until remove_orphan(), since programs may have it open; after a crash all
// orphans go. Permissions aren't looked at: the kernel does that (default_permissions of mount.fuse3(8)). The errors
// are those of the system call's man page.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "servers/store/tree/directory.h"
#include "servers/store/tree/inode.h"

namespace dmmap::store {

/// What a new file is to be.
struct NewFile {
  std::uint32_t mode = 0;  ///< type and permissions
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;  ///< unless the directory has the set-group-ID bit, and hands on its own (inode(7))
  std::uint64_t rdev = 0;
  std::string target{};  ///< of a symbolic link
};

/// A transaction on the tree. What is changed is committed with the transaction, or never was. Thread safety: one
/// thread at a time.
class Tree {
 public:
  /// Files are changed at `now`.
  Tree(Transaction& transaction, const timespec& now) : transaction_(transaction), now_(now) {}

  /// Makes the root directory in a new store.
  Result<void> make_root(std::uint32_t uid, std::uint32_t gid);

  /// open(2), mkdir(2), mknod(2), symlink(2): makes a file, and a name for it. Errors: EEXIST, ENAMETOOLONG, ENOENT
  /// when the directory was removed.
  Result<Inode> make(FileId directory, std::string_view name, const NewFile& file);
  /// A file without a name: an orphan from the start (O_TMPFILE of open(2)).
  Result<Inode> make_unnamed(FileId directory, const NewFile& file);
  /// Gives an orphan its name, also when it's a directory. Errors: EEXIST, ENAMETOOLONG, ENOENT when the directory was
  /// removed.
  Result<Inode> adopt(FileId orphan, FileId directory, std::string_view name);
  /// link(2). Also for an orphan, which is none any more. Errors: EEXIST, EPERM for a directory, EMLINK.
  Result<Inode> link(FileId file, FileId directory, std::string_view name);
  /// unlink(2). Returns the file as it is then. Errors: ENOENT, EISDIR.
  Result<Inode> unlink(FileId directory, std::string_view name);
  /// rmdir(2). Returns the directory as it is then. Errors: ENOENT, ENOTDIR, ENOTEMPTY.
  Result<Inode> rmdir(FileId directory, std::string_view name);
  /// renameat2(2) with its flags. Returns the file that lost a name, as it is then. Errors: ENOENT, EEXIST, EISDIR,
  /// ENOTDIR, ENOTEMPTY, EINVAL for a directory that would come to lie in itself, or flags that can't be.
  Result<std::optional<Inode>> rename(FileId directory, std::string_view name, FileId new_directory,
                                      std::string_view new_name, std::uint32_t flags);

 private:
  Result<Inode> directory_of(FileId directory);
  Result<Named> named(FileId directory, std::string_view name);
  Result<Inode> fresh(const Inode& directory, const NewFile& file);
  Result<void> name_it(Inode& directory, std::string_view name, const Inode& file);
  Result<void> make_whiteout(FileId directory, std::string_view name);
  Result<Inode> lose_name(FileId directory, const Named& entry);
  Result<void> exchange(FileId directory, const Named& entry, FileId new_directory, const Named& other);
  void put_moved(Inode& inode, FileId directory);
  Result<void> not_within(FileId directory, FileId file);
  void touch(Inode& directory) const;

  Transaction& transaction_;
  const timespec now_;
};

/// What remove_orphan() did.
struct Removed {
  bool more = false;             ///< there's more to remove of it
  std::vector<FileId> orphaned;  ///< what was in it, and has no name any more, nor anybody who uses it
};
/// Removes an orphan's pages, names, attributes and inode: a bounded part of it, in a transaction of its own. REQUIRES:
/// nobody uses it, nor what is in it. Errors: EBUSY when it's no orphan.
Result<Removed> remove_orphan(Database& database, FileId file);

/// The number of a file that is to be made.
Result<FileId> new_file(Transaction& transaction);

/// The first orphan after `file`.
[[nodiscard]] Result<std::optional<FileId>> next_orphan(const Reader& reader, FileId file);

}  // namespace dmmap::store
