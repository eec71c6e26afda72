// Flags and numbers of system calls by their names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dmmap::protocol {

/// "O_RDWR|O_NONBLOCK", what has no name in hexadecimal (open(2)).
[[nodiscard]] std::string open_flags(int flags);
/// "POLLIN|POLLOUT" (poll(2)).
[[nodiscard]] std::string poll_events(std::uint32_t events);
/// "_IOWR('P', 16, 4) 0xc0045010" (ioctl(2)).
[[nodiscard]] std::string ioctl_number(std::uint32_t command);
/// In double quotes, with what can't be shown as \xNN.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace dmmap::protocol
