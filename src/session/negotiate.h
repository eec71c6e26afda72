// INIT: what the kernel offers and the server wants becomes what both do.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>
#include <dmmap/requests.h>
#include <dmmap/session.h>

#include "protocol/decode.h"
#include "protocol/encode.h"

namespace dmmap::session {

/// The protocol versions that the library speaks: 7.31 (Linux 5.4) to 7.45.
inline constexpr std::uint32_t kMajor = 7;
inline constexpr std::uint32_t kOldestMinor = 31;
inline constexpr std::uint32_t kNewestMinor = 45;

struct Agreement {
  protocol::InitReply reply;
  protocol::Dialect dialect;
  Capabilities capabilities;
};

/// Errors: EPROTO for a kernel that is too old, by name.
[[nodiscard]] Result<Agreement> negotiate(const InitRequest& offer, const SessionOptions& wishes);

}  // namespace dmmap::session
