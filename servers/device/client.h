// What can be known of who has opened a device.
//
// Thread safety: every function, from any thread.
#pragma once

#include <dmmap/error.h>
#include <dmmap/thread_safety.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dmmap::device {

/// The comm (proc(5)) of a thread: any bytes; "?" where it can't be known. It can be asked for at any time, unlike the
/// cmdline, for which the client's memory map has to be free.
[[nodiscard]] std::string program_of(std::uint32_t pid);

/// The status flags (O_NONBLOCK among them; fcntl(2), F_GETFL) that a process has on its open files of one name and
/// inode number: an ioctl doesn't tell them. Reads /proc/PID/fd and fdinfo (proc(5)), and nothing of the file itself.
///
/// All of a process's files are looked at the first time, and again when what was found then is no more; in between
/// only what was found. Thread safety: every call, from any thread.
class StatusFlags {
 public:
  StatusFlags(std::string name, std::uint64_t inode) : name_(std::move(name)), inode_(inode) {}
  /// Nothing where that can't be looked at, where there's no such file, or where there are several that differ.
  [[nodiscard]] std::optional<int> of(std::uint32_t pid) DMMAP_EXCLUDES(lock_);

 private:
  struct Place {
    std::string info;         // a file of /proc/PID/fdinfo
    std::uint64_t mount = 0;  // mnt_id there
  };
  /// Whether those that were found before are there still, and then their flags.
  [[nodiscard]] bool look_again(std::optional<int>& flags) const DMMAP_REQUIRES(lock_);
  [[nodiscard]] std::optional<int> look(std::uint32_t pid) DMMAP_REQUIRES(lock_);

  const std::string name_;
  const std::uint64_t inode_;
  Mutex lock_;
  std::uint32_t pid_ DMMAP_GUARDED_BY(lock_) = 0;
  std::vector<Place> places_ DMMAP_GUARDED_BY(lock_);  // of that process
};

/// Copies bytes between this process and the memory of a client that waits for an answer, at an address that it gave
/// (process_vm_readv(2)): until it's answered the thread can't go away, and so its number can't be another's.
/// Errors: EFAULT for memory that it hasn't, EPERM where this process mustn't look into that one, ESRCH.
[[nodiscard]] Result<void> read_client(std::uint32_t pid, std::uint64_t address, std::span<std::byte> to);
[[nodiscard]] Result<void> write_client(std::uint32_t pid, std::uint64_t address, std::span<const std::byte> from);

}  // namespace dmmap::device
