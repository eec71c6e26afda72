#include "servers/store/kv/table_check.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <rocksdb/options.h>

#include <filesystem>
#include <system_error>

#include "servers/store/kv/complaints.h"

namespace dmmap::store {

std::uint64_t check_table_files(const Database& database, const std::function<void(const std::string&)>& complain) {
  namespace fs = std::filesystem;
  Complaints complaints(complain);
  rocksdb::ColumnFamilyMetaData pages;
  database.db().GetColumnFamilyMetaData(database.table(Table::pages), &pages);
  for (const rocksdb::BlobMetaData& blob : pages.blob_files) {
    const fs::path file = fs::path(database.db().GetName()) / fs::path(blob.blob_file_name).relative_path();
    std::error_code code;
    const std::uint64_t bytes = fs::file_size(file, code);
    if (code) {
      complaints.wrong(fmt::format("{} can't be read ({}), nor the pages in it", file.string(), code.message()));
    } else if (bytes != blob.blob_file_size) {
      complaints.wrong(fmt::format("{} is to have {} bytes and has {}: the pages in it can't be read", file.string(),
                                   blob.blob_file_size, bytes));
    }
  }
  if (const auto read = result_of(database.db().VerifyChecksum(rocksdb::ReadOptions()), "reading the tables"); !read) {
    complaints.wrong(read.error().message);
  }
  return complaints.count();
}

}  // namespace dmmap::store
