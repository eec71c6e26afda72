// FUSE over io_uring, 7.42 (Linux 6.14): what a ring's entries look like.
//
// Promises: plain structs and constants. Source: include/uapi/linux/fuse.h of Linux 6.18.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dmmap::protocol {

/// What user_data's owner asks the kernel with an IORING_OP_URING_CMD on /dev/fuse.
enum class UringCommand : std::uint32_t {
  invalid = 0,
  register_entry = 1,    ///< here is a buffer: fill it with a request
  commit_and_fetch = 2,  ///< it holds the answer now: take it, and fill it with the next request
};

/// In the 80 bytes that a large submission entry has for its command.
struct UringCommandRequest {
  std::uint64_t flags;
  std::uint64_t commit_id;  // that of the request which is answered
  std::uint16_t queue;      // a CPU's number
  std::array<std::uint8_t, 6> padding;
};

struct UringEntry {
  std::uint64_t flags;
  std::uint64_t commit_id;
  std::uint32_t payload_size;
  std::uint32_t padding;
  std::uint64_t reserved;
};

/// One entry's headers; what doesn't fit here is in a payload buffer of its own.
struct UringHeaders {
  std::array<std::byte, 128> in_out;     // an InHeader, or the OutHeader of the answer
  std::array<std::byte, 128> operation;  // the request's own struct
  UringEntry entry;
};
static_assert(sizeof(UringCommandRequest) == 24 && sizeof(UringEntry) == 32 && sizeof(UringHeaders) == 288);

}  // namespace dmmap::protocol
