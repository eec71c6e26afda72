// What can be known of who has opened a device.
//
// Thread safety: every function, from any thread.
#pragma once

#include <cstdint>
#include <string>

namespace dmmap::device {

/// The comm (proc(5)) of a thread: any bytes; "?" where it can't be known. It can be asked for at any time, unlike the
/// cmdline, for which the client's memory map has to be free.
[[nodiscard]] std::string program_of(std::uint32_t pid);

}  // namespace dmmap::device
