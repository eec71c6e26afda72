#include "support/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include "support/process.h"

namespace dmmap::testing {
namespace {

// mountinfo writes space, tab, newline and backslash as a backslash and three octal digits.
std::string unescape(std::string_view text) {
  std::string plain;
  const auto octal = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      plain.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

// "36 35 0:34 / /mnt rw,noatime shared:1 - fuse.dmmap dmmap rw": the optional fields end at the lone dash.
std::optional<MountEntry> parse(const std::string& line) {
  std::istringstream fields(line);
  std::string id;
  std::string parent;
  std::string device;
  std::string root;
  std::string mountpoint;
  fields >> id >> parent >> device >> root >> mountpoint;
  std::string field;
  while (fields >> field && field != "-") {
  }
  MountEntry entry;
  if (!(fields >> entry.type)) {
    return std::nullopt;
  }
  fields >> entry.source;
  entry.source = unescape(entry.source);
  entry.mountpoint = unescape(mountpoint);
  const std::size_t colon = device.find(':');
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  entry.device_minor = static_cast<unsigned>(std::strtoul(device.c_str() + colon + 1, nullptr, 10));
  return entry;
}

bool is_at_or_below(const std::filesystem::path& path, const std::filesystem::path& top) {
  const auto [in_top, in_path] = std::mismatch(top.begin(), top.end(), path.begin(), path.end());
  return in_top == top.end();
}

constexpr const char* kFuseControl = "/sys/fs/fuse/connections";

}  // namespace

std::vector<MountEntry> all_mounts() {
  std::vector<MountEntry> entries;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (auto entry = parse(line)) {
      entries.push_back(std::move(*entry));
    }
  }
  return entries;
}

std::vector<MountEntry> mounts_below(const std::filesystem::path& path) {
  std::vector<MountEntry> entries = all_mounts();
  std::erase_if(entries, [&](const MountEntry& entry) { return !is_at_or_below(entry.mountpoint, path); });
  std::reverse(entries.begin(), entries.end());
  return entries;
}

void unmount_below(const std::filesystem::path& path) {
  for (const MountEntry& entry : mounts_below(path)) {
    if (::umount2(entry.mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && ::geteuid() != 0) {
      run({"fusermount3", "-u", "-z", entry.mountpoint.string()}, std::chrono::seconds(10));
    }
  }
}

bool is_mounted(const std::filesystem::path& path) {
  const std::vector<MountEntry> entries = all_mounts();
  return std::any_of(entries.begin(), entries.end(), [&](const MountEntry& entry) { return entry.mountpoint == path; });
}

std::optional<unsigned> fuse_connection_of(const std::filesystem::path& path) {
  // The last made is the one on top, when there are several at one place.
  for (const MountEntry& entry : mounts_below(path)) {
    if (entry.mountpoint == path && entry.type.starts_with("fuse") && entry.type != "fusectl") {
      return entry.device_minor;
    }
  }
  return std::nullopt;
}

bool abort_connection(unsigned number) {
  if (!is_mounted(kFuseControl) && ::mount("fusectl", kFuseControl, "fusectl", 0, nullptr) != 0) {
    return false;
  }
  const std::string file = std::string(kFuseControl) + "/" + std::to_string(number) + "/abort";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  const bool done = ::write(fd, "1", 1) == 1;
  ::close(fd);
  return done;
}

bool wait_until(const std::function<bool()>& predicate, std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= end) {
      return predicate();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace dmmap::testing
