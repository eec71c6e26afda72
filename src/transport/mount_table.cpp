#include "transport/mount_table.h"

#include <fstream>
#include <sstream>

namespace dmmap::transport {

namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

// Space, tab, newline and backslash stand as \ooo in the table.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// "36 35 98:0 /root /mount/point options [tags...] - type source options"
std::optional<MountEntry> parse(const std::string& line) {
  std::istringstream words(line);
  MountEntry entry;
  std::uint32_t parent = 0;
  char colon = 0;
  std::string root;
  std::string mountpoint;
  if (!(words >> entry.id >> parent >> entry.major >> colon >> entry.minor >> root >> mountpoint)) {
    return std::nullopt;
  }
  entry.mountpoint = unescape(mountpoint);
  for (std::string word; words >> word;) {
    if (word == "-") {
      words >> entry.type;
      return entry;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<MountEntry> find_mount_in(std::string_view table, const std::string& mountpoint) {
  std::optional<MountEntry> found;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    if (auto entry = parse(line); entry && entry->mountpoint == mountpoint) {
      found = std::move(entry);  // a later line is mounted over an earlier one
    }
  }
  return found;
}

std::optional<MountEntry> find_mount(const std::string& mountpoint) {
  const std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return find_mount_in(text.str(), mountpoint);
}

bool is_fuse(std::string_view type) {
  return type == "fuse" || type == "fuseblk" || type.starts_with("fuse.");
}

}  // namespace dmmap::transport
