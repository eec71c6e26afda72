// Inode: what a store knows of a file, besides its pages, names and extended attributes.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "servers/store/kv/reader.h"
#include "servers/store/kv/transaction.h"
#include "servers/store/pages/file_pages.h"

namespace dmmap::store {

/// The root directory's number, which is FUSE's too.
inline constexpr FileId kRootFile{1};

/// As stat(2) and inode(7) have it.
struct Inode {
  FileId file;
  std::uint32_t mode = 0;  ///< type and permissions
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t links = 0;  ///< names; of a directory, 2 and one for each directory in it
  std::uint64_t rdev = 0;   ///< of a device
  std::uint64_t size = 0;   ///< bytes; of a directory, how many entries it has; of a symbolic link, its target's
  std::uint64_t pages = 0;  ///< that it has, and may share
  timespec accessed{};
  timespec modified{};
  timespec changed{};
  timespec born{};
  FileId parent;                    ///< of a directory: the one that it's in
  std::uint64_t next_position = 1;  ///< of a directory: the next entry's place in the order of listing
  std::string target;               ///< of a symbolic link

  [[nodiscard]] bool is_directory() const;
};

/// Errors: ENOENT when there's no such file; EIO when the entry is damaged.
[[nodiscard]] Result<Inode> get_inode(const Reader& reader, FileId file);
void put_inode(Transaction& transaction, const Inode& inode);
void remove_inode(Transaction& transaction, FileId file);

/// For who goes through the table: the inode that an entry is; nothing when it's none.
[[nodiscard]] std::optional<Inode> decode_inode(std::string_view key, std::string_view value);

}  // namespace dmmap::store
