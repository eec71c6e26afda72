#include "servers/device/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>
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
  std::optional<std::uint64_t> mount;
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

// What is looked for is in the first few lines, whatever kind of file it is.
FileInfo info_of(const std::string& path) {
  constexpr int kOctal = 8;
  constexpr int kDecimal = 10;
  constexpr std::size_t kEnough = 512;
  std::array<char, kEnough> bytes{};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);  // NOLINT(*-vararg)
  const ssize_t got = file >= 0 ? ::read(file, bytes.data(), bytes.size()) : 0;
  if (file >= 0) {
    ::close(file);
  }
  std::string_view rest(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  FileInfo info;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    info.flags = info.flags ? info.flags : number_after(line, "flags:", kOctal);
    info.inode = info.inode ? info.inode : number_after(line, "ino:", kDecimal);
    info.mount = info.mount ? info.mount : number_after(line, "mnt_id:", kDecimal);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return info;
}

// Of several files; nothing when they differ.
class Common {
 public:
  void add(int flags) {
    differ_ = differ_ || (flags_ && *flags_ != flags);
    flags_ = flags;
  }
  [[nodiscard]] std::optional<int> flags() const { return differ_ ? std::nullopt : flags_; }

 private:
  std::optional<int> flags_;
  bool differ_ = false;
};

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

std::optional<int> StatusFlags::of(std::uint32_t pid) {
  const MutexLock lock(lock_);
  std::optional<int> flags;
  return pid == pid_ && look_again(flags) ? flags : look(pid);
}

bool StatusFlags::look_again(std::optional<int>& flags) const {
  Common all;
  for (const Place& each : places_) {
    const FileInfo info = info_of(each.info);
    if (!info.flags || info.inode != inode_ || info.mount != each.mount) {
      return false;
    }
    all.add(static_cast<int>(*info.flags));
  }
  flags = all.flags();
  return !places_.empty();
}

std::optional<int> StatusFlags::look(std::uint32_t pid) {
  pid_ = pid;
  places_.clear();
  Common all;
  std::error_code error;
  const std::string process = fmt::format("/proc/{}", pid);
  std::filesystem::directory_iterator each(process + "/fd", error);
  for (; pid != 0 && !error && each != std::filesystem::directory_iterator(); each.increment(error)) {
    std::error_code unreadable;
    const auto target = std::filesystem::read_symlink(each->path(), unreadable);
    if (unreadable || target.filename() != name_) {
      continue;
    }
    std::string path = process + "/fdinfo/" + each->path().filename().string();
    const FileInfo info = info_of(path);
    if (!info.flags || info.inode != inode_) {
      continue;
    }
    all.add(static_cast<int>(*info.flags));
    places_.push_back({std::move(path), info.mount.value_or(0)});
  }
  return all.flags();
}

}  // namespace dmmap::device
