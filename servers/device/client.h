// What can be known of who has opened a device.
//
// Thread safety: every function, from any thread.
#pragma once

#include <dmmap/error.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dmmap::device {

/// The comm (proc(5)) of a thread: any bytes; "?" where it can't be known. It can be asked for at any time, unlike the
/// cmdline, for which the client's memory map has to be free.
[[nodiscard]] std::string program_of(std::uint32_t pid);

/// The status flags (O_NONBLOCK among them; fcntl(2), F_GETFL) that a process has on its open files of this name and
/// inode number: an ioctl doesn't tell them. Nothing where that can't be looked at, where there's no such file, or
/// where there are several that differ. Reads /proc/PID/fd and fdinfo (proc(5)), and nothing of the file itself.
[[nodiscard]] std::optional<int> status_flags(std::uint32_t pid, std::string_view name, std::uint64_t inode);

/// Copies bytes between this process and the memory of a client that waits for an answer, at an address that it gave
/// (process_vm_readv(2)): until it's answered the thread can't go away, and so its number can't be another's.
/// Errors: EFAULT for memory that it hasn't, EPERM where this process mustn't look into that one, ESRCH.
[[nodiscard]] Result<void> read_client(std::uint32_t pid, std::uint64_t address, std::span<std::byte> to);
[[nodiscard]] Result<void> write_client(std::uint32_t pid, std::uint64_t address, std::span<const std::byte> from);

}  // namespace dmmap::device
