// From the bytes that the kernel sent to a typed request.
//
// Promises: whatever the bytes are, nothing outside them is read, no memory is taken that isn't in proportion to them,
// and what can't be understood is an Error EPROTO that names the opcode. Bytes after what a request needs are ignored,
// since later versions of the protocol add fields at the end.
// Thread safety: every call, from any thread; the results refer to the message.
#pragma once

#include <dmmap/error.h>
#include <dmmap/requests.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace dmmap::protocol {

/// What INIT agreed on, as far as it changes how requests look.
struct Dialect {
  std::uint32_t minor = 45;
  bool setxattr_ext = false;       ///< SETXATTR has 16 bytes before the name instead of 8
  bool security_ctx = false;       ///< requests that make a file may bring labels (cut off)
  bool create_supp_group = false;  ///< and a group (cut off)
};

/// A message with its header taken off.
struct Envelope {
  std::uint32_t opcode = 0;
  std::uint64_t unique = 0;  ///< as it came: an answer must name the request so, resend bit included (fs/fuse/dev.c)
  Request request;
  std::span<const std::byte> body;  ///< without the extensions at the message's end
};

/// Checks the header, and that it was written for this message's length.
[[nodiscard]] Result<Envelope> open_envelope(std::span<const std::byte> message);

/// `envelope` as a request of type R, any of <dmmap/requests.h>. The caller picks R by the opcode.
template <class R>
[[nodiscard]] Result<R> decode(const Envelope& envelope, const Dialect& dialect);

}  // namespace dmmap::protocol
