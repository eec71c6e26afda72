#include "servers/device/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace dmmap::device {

std::string program_of(std::uint32_t pid) {
  std::string name;
  std::ifstream comm(fmt::format("/proc/{}/comm", pid));
  const bool known = pid != 0 && std::getline(comm, name) && !name.empty();
  return known ? name : "?";
}

namespace {

// "flags:" is octal, "ino:" decimal.
std::optional<std::uint64_t> number_after(std::string_view line, std::string_view key, int base) {
  if (!line.starts_with(key)) {
    return std::nullopt;
  }
  line.remove_prefix(key.size());
  line.remove_prefix(std::min(line.find_first_not_of("\t "), line.size()));
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value, base);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

struct FileInfo {
  std::optional<std::uint64_t> flags;
  std::optional<std::uint64_t> inode;
};
FileInfo info_of(const std::string& path) {
  constexpr int kOctal = 8;
  constexpr int kDecimal = 10;
  FileInfo info;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    info.flags = info.flags ? info.flags : number_after(line, "flags:", kOctal);
    info.inode = info.inode ? info.inode : number_after(line, "ino:", kDecimal);
  }
  return info;
}

}  // namespace

std::optional<int> status_flags(std::uint32_t pid, std::string_view name, std::uint64_t inode) {
  std::optional<int> found;
  std::error_code error;
  const std::string process = fmt::format("/proc/{}", pid);
  std::filesystem::directory_iterator each(process + "/fd", error);
  for (; pid != 0 && !error && each != std::filesystem::directory_iterator(); each.increment(error)) {
    std::error_code unreadable;
    const auto target = std::filesystem::read_symlink(each->path(), unreadable);
    if (unreadable || target.filename() != name) {
      continue;
    }
    const FileInfo info = info_of(process + "/fdinfo/" + each->path().filename().string());
    if (!info.flags || info.inode != inode) {
      continue;
    }
    const int flags = static_cast<int>(*info.flags);
    if (found && *found != flags) {
      return std::nullopt;
    }
    found = flags;
  }
  return found;
}

}  // namespace dmmap::device
