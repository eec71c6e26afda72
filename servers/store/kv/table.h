// The tables of a store's database, each a column family of RocksDB with keys of its own.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace dmmap::store {

/// Numbers are big-endian in keys, so that they're in order, and in values.
enum class Table : std::size_t {
  numbers,  ///< name -> number: the next one of each kind to give out
  lists,    ///< file, first of its pages -> page number, count: what the file shows there; none overlap
  shares,   ///< page number -> count, references: pages that have more than one; none overlap
  pages,    ///< page number -> the page's bytes, without the zeros at its end
  freed,    ///< page number -> count: pages that nobody refers to, whose bytes are still to be removed
  inodes,   ///< file -> its attributes
  names,    ///< directory, name -> file, type, position: the directory's entries
  places,   ///< directory, position -> name: the same, in the order that they're listed in
  xattrs,   ///< file, name -> the attribute's value
  orphans,  ///< file -> nothing: files without a name, which go when nobody uses them
  excess,   ///< file -> nothing: files that have pages beyond their size, which are to go
};

/// What RocksDB calls them, in the order of Table.
inline constexpr std::array<std::string_view, 11> kTableNames{
    "default", "lists", "shares", "pages", "freed", "inodes", "names", "places", "xattrs", "orphans", "excess"};

[[nodiscard]] constexpr std::string_view name_of(Table table) {
  return kTableNames[static_cast<std::size_t>(table)];
}

}  // namespace dmmap::store
