#include "servers/store/kv/manifest_check.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace dmmap::store {

namespace fs = std::filesystem;

Result<void> check_manifest(const fs::path& database, const FilePosition& known) {
  constexpr std::string_view kPrefix = "MANIFEST-";
  const auto name_of = [](std::uint64_t number) { return fmt::format("MANIFEST-{:06}", number); };
  const fs::path current = database / "CURRENT";
  std::ifstream in(current);
  std::string line;
  std::getline(in, line);
  std::uint64_t number = 0;
  const bool named =
      in && !in.eof() && line.starts_with(kPrefix) &&
      std::from_chars(line.data() + kPrefix.size(), line.data() + line.size(), number).ptr == line.data() + line.size();
  std::error_code code;
  const fs::path newest = database / name_of(known.number);
  const bool other = known.number != 0 && number != known.number && fs::exists(newest, code);
  if (!named || (other && !fs::exists(database / line, code))) {
    return fail(EIO, fmt::format("{} is {}, which is to name the list of the store's files: {}restore the store from a "
                                 "backup",
                                 current.string(), fs::exists(current, code) ? "damaged" : "missing",
                                 other ? fmt::format("write the line {} to it, or ", name_of(known.number)) : ""));
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
