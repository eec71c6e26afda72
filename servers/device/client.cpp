#include "servers/device/client.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
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
Result<void> copied_all(std::uint32_t pid, ssize_t copied, std::size_t wanted) {
  if (pid == 0) {
    return fail(ESRCH, "a client of another pid namespace");
  }
  if (copied < 0) {
    return fail_errno(errno, fmt::format("the memory of thread {}", pid));
  }
  return static_cast<std::size_t>(copied) == wanted ? Result<void>() : fail(EFAULT, "memory that isn't all there");
}

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

Result<void> read_client(std::uint32_t pid, std::uint64_t address, std::span<std::byte> to) {
  const iovec here{to.data(), to.size()};
  const iovec there{reinterpret_cast<void*>(address), to.size()};  // NOLINT(*-reinterpret-cast, *-int-to-ptr)
  const ssize_t copied = pid == 0 ? 0 : ::process_vm_readv(static_cast<pid_t>(pid), &here, 1, &there, 1, 0);
  return copied_all(pid, copied, to.size());
}

Result<void> write_client(std::uint32_t pid, std::uint64_t address, std::span<const std::byte> from) {
  const iovec here{const_cast<std::byte*>(from.data()), from.size()};  // NOLINT(*-const-cast): it's only read
  const iovec there{reinterpret_cast<void*>(address), from.size()};    // NOLINT(*-reinterpret-cast, *-int-to-ptr)
  const ssize_t copied = pid == 0 ? 0 : ::process_vm_writev(static_cast<pid_t>(pid), &here, 1, &there, 1, 0);
  return copied_all(pid, copied, from.size());
}

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
