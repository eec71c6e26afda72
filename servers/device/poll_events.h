// The events of poll(2) that mean "there's something to read" and "there's room to write", in both their names.
#pragma once

#include <poll.h>

#include <cstdint>

namespace dmmap::device {

inline constexpr std::uint32_t kIn = POLLIN | POLLRDNORM;
inline constexpr std::uint32_t kOut = POLLOUT | POLLWRNORM;

}  // namespace dmmap::device
