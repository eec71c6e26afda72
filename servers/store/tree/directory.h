// Directory: the names in one directory of a store, and the order that they're listed in.
//
// Each entry has a position of its own, given out once, so that a listing that is gone on with later neither misses an
// entry that was there all the time nor shows one twice, whatever came and went meanwhile (readdir(3)). Invariants,
// after each commit: an entry is in `names` and in `places`; the directory's inode counts its entries as its size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "servers/store/tree/inode.h"

namespace dmmap::store {

/// Longer names are refused (NAME_MAX of linux/limits.h), in bytes.
inline constexpr std::size_t kLongestName = 255;

struct Named {
  std::string name;  ///< bytes, of any encoding
  FileId file;
  std::uint32_t type = 0;      ///< the file's, as in its mode (S_IFMT)
  std::uint64_t position = 0;  ///< in the listing; above 0
};

class Directory {
 public:
  explicit Directory(FileId directory);

  [[nodiscard]] Result<std::optional<Named>> find(const Reader& reader, std::string_view name) const;
  /// The entries after `position`, at most `most`. Errors: EIO.
  [[nodiscard]] Result<std::vector<Named>> list(const Reader& reader, std::uint64_t position, std::size_t most) const;

  /// REQUIRES: there's no such name; `inode` is the directory's, whose counts are brought up to date and are for the
  /// caller to put.
  void add(Transaction& transaction, Inode& inode, std::string_view name, const Inode& file) const;
  /// REQUIRES: `entry` is there; as above.
  void remove(Transaction& transaction, Inode& inode, const Named& entry) const;
  /// `entry` names another file from now on, in its place. REQUIRES: as above.
  void redirect(Transaction& transaction, const Named& entry, const Inode& file) const;

 private:
  [[nodiscard]] std::string name_key(std::string_view name) const;
  [[nodiscard]] std::string place_key(std::uint64_t position) const;

  const std::string prefix_;
};

}  // namespace dmmap::store
