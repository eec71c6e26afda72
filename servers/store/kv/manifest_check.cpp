#include "servers/store/kv/manifest_check.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include "servers/store/kv/database_files.h"

namespace dmmap::store {

namespace fs = std::filesystem;

Result<void> check_manifest(const fs::path& database, const FilePosition& known) {
  const fs::path current = database / "CURRENT";
  std::ifstream in(current);
  std::string line;
  std::getline(in, line);
  const std::optional<std::uint64_t> named = in && !in.eof() ? manifest_number(line) : std::nullopt;
  const std::uint64_t number = named.value_or(0);
  std::error_code code;
  const fs::path newest = database / manifest_name(known.number);
  const bool other = known.number != 0 && number != known.number && fs::exists(newest, code);
  if (!named || (other && !fs::exists(database / line, code))) {
    return fail(EIO,
                fmt::format("{} is {}, which is to name the list of the store's files: {}restore the store from a "
                            "backup",
                            current.string(), fs::exists(current, code) ? "damaged" : "missing",
                            other ? fmt::format("write the line {} to it, or ", manifest_name(known.number)) : ""));
  }
  const fs::path manifest = database / line;
  const std::uint64_t bytes = fs::file_size(manifest, code);
  if (code || number < known.number) {
    return fail(EIO, fmt::format("{}, the list of the store's files, is {}: restore the store from a backup",
                                 manifest.string(), code ? "missing" : "an old one"));
  }
  if (number == known.number && bytes < known.bytes) {
    return fail(EIO, fmt::format("{}, the list of the store's files, is cut off: it has {} bytes and had at least {}: "
                                 "restore the store from a backup",
                                 manifest.string(), bytes, known.bytes));
  }
  return {};
}

}  // namespace dmmap::store
