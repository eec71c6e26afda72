// A typed reply -> bytes for the kernel.
//
// Promises: an answer that the request has no room for is refused, never cut. No system calls, no state: every function
// from any thread.
#pragma once

#include <dmmap/error.h>
#include <dmmap/replies.h>

#include <cstdint>

#include "protocol/wire_reply.h"

namespace dmmap::protocol {

/// What the request allows: of READ, READDIR, xattrs and IOCTL the bytes that there is room for, of WRITE those that
/// came.
struct ReplyLimits {
  std::uint32_t opcode = 0;
  std::uint32_t size = 0;
};

/// The number by which the kernel knows a backing; the session's to know.
[[nodiscard]] std::int32_t backing_number(const BackingId& backing);

/// Specialised for every reply of replies.h.
/// Errors: EIO when the answer is larger than the limits; ERANGE for an xattr that is (getxattr(2)).
template <class T>
[[nodiscard]] Result<void> encode(const T& value, const ReplyLimits& limits, WireReply& out);

/// The answer to INIT. Sizes in bytes, `request_timeout` in seconds.
struct InitReply {
  std::uint32_t minor = 0;
  std::uint32_t max_readahead = 0;
  std::uint64_t flags = 0;
  std::uint16_t max_background = 0;
  std::uint16_t congestion_threshold = 0;
  std::uint32_t max_write = 0;
  std::uint32_t time_gran = 0;  ///< nanoseconds
  std::uint16_t max_pages = 0;
  std::uint32_t max_stack_depth = 0;
  std::uint16_t request_timeout = 0;
};
void encode_init(const InitReply& value, WireReply& out);

}  // namespace dmmap::protocol
