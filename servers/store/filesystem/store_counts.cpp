#include "servers/store/filesystem/store_counts.h"

#include "servers/store/kv/numbers.h"
#include "servers/store/tree/inode.h"

namespace dmmap::store {

Result<StoreCounts> count_store(const Reader& reader) {
  StoreCounts counts;
  auto inodes = for_each(reader, Table::inodes, [&counts](std::string_view key, std::string_view value) {
    if (const auto inode = decode_inode(key, value)) {
      (inode->is_directory() ? counts.directories : counts.files) += 1;
      counts.shown += inode->pages;
    }
  });
  auto orphans = for_each(reader, Table::orphans,
                          [&counts](std::string_view /*key*/, std::string_view /*value*/) { counts.orphans += 1; });
  auto shares = for_each(reader, Table::shares, [&counts](std::string_view /*key*/, std::string_view value) {
    if (const auto run = decode<2>(value)) {
      counts.shared += (*run)[0];
      counts.repeated += (*run)[0] * ((*run)[1] - 1);
    }
  });
  auto freed = for_each(reader, Table::freed, [&counts](std::string_view /*key*/, std::string_view value) {
    if (const auto count = decode<1>(value)) {
      counts.freed += (*count)[0];
    }
  });
  for (const auto* each : {&inodes, &orphans, &shares, &freed}) {
    if (!*each) {
      return tl::unexpected(each->error());
    }
  }
  return counts;
}

}  // namespace dmmap::store
