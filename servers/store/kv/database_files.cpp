#include "servers/store/kv/database_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/status.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "servers/store/kv/database.h"

namespace dmmap::store {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kManifest = "MANIFEST-";

// Nothing when `text` is no number as a whole.
std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  return std::from_chars(text.data(), end, number).ptr == end && !text.empty() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::string manifest_name(std::uint64_t number) {
  return fmt::format("{}{:06}", kManifest, number);
}

std::optional<std::uint64_t> manifest_number(std::string_view name) {
  return name.starts_with(kManifest) ? number_of(name.substr(kManifest.size())) : std::nullopt;
}

fs::path log_path(const fs::path& database, std::uint64_t number) {
  return database / fmt::format("{:06}.log", number);
}

std::vector<FilePosition> logs_in(const fs::path& database) {
  std::vector<FilePosition> logs;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(database, code)) {
    const auto number = number_of(entry.path().stem().string());
    if (entry.path().extension() == ".log" && number) {
      const FilePosition log{*number, entry.file_size(code)};
      if (!code) {  // otherwise RocksDB has just removed it
        logs.push_back(log);
      }
    }
  }
  std::sort(logs.begin(), logs.end(), [](const auto& one, const auto& other) { return one.number < other.number; });
  return logs;
}

Result<void> sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool good = fd >= 0 && ::fsync(fd) == 0;
  const int code = errno;
  if (fd >= 0) {
    ::close(fd);
  }
  return good ? Result<void>() : fail_errno(code, fmt::format("syncing {}", path.string()));
}

namespace {

// Tables that aren't whole, or that `text` says to be missing. RocksDB looks for a missing one under an older name too,
// and names that (table/format.cc, Rocks2LevelTableFileName); of one that is cut off, often none.
std::string broken_tables(const fs::path& database, std::string_view text) {
  constexpr std::string_view kMagic = "\xf7\xcf\xf4\x85\xb7\x41\xe2\x88";  // the end of one (table/format.cc)
  constexpr std::string_view kOlderName = ".ldb";
  std::string broken;
  if (const auto older = text.find(kOlderName); older != std::string_view::npos) {
    const auto from = text.rfind('/', older) + 1;
    broken += fmt::format("{} is missing; ", (database / text.substr(from, older - from)).string() + ".sst");
  }
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(database, code)) {
    if (entry.path().extension() == ".sst") {
      std::ifstream in(entry.path(), std::ios::binary);
      std::string end(kMagic.size(), '\0');
      in.seekg(-static_cast<std::streamoff>(end.size()), std::ios::end);
      in.read(end.data(), static_cast<std::streamsize>(end.size()));
      if (end != kMagic) {
        broken += fmt::format("{} is cut off or damaged; ", entry.path().string());
      }
    }
  }
  return broken;
}

}  // namespace

Result<void> broken_database(const rocksdb::Status& status, const fs::path& database) {
  auto failed = result_of(status, fmt::format("opening {}", database.string()));
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsInvalidArgument()) {
    std::string& text = failed.error().message;
    text.erase(text.find_last_not_of("\n ") + 1);
    text = fmt::format("{}restore the store from a backup ({})", broken_tables(database, text), text);
  }
  return failed;
}

}  // namespace dmmap::store
