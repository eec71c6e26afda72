// What may follow a request that makes a file: security labels and supplementary groups.
//
// Since 7.38 InHeader::total_extlen counts these bytes; each extension begins with an ExtensionHeader and is padded to
// 8 bytes. Types up to kMaxSecurityContexts are the number of security contexts that follow.
// Promises: plain structs and constants. Source: include/uapi/linux/fuse.h of Linux 6.18.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dmmap::protocol {

/// total_extlen counts in this many bytes.
inline constexpr std::size_t kExtensionUnit = 8;

struct ExtensionHeader {
  std::uint32_t size;  // of the extension, this header included
  std::uint32_t type;
};
inline constexpr std::uint32_t kMaxSecurityContexts = 31;
inline constexpr std::uint32_t kExtensionGroups = 32;

/// Each followed by a NUL-terminated name and `size` bytes of label.
struct SecurityContext {
  std::uint32_t size;
  std::uint32_t padding;
};

/// Followed by as many 32-bit group ids.
struct SupplementaryGroups {
  std::uint32_t count;
};
static_assert(sizeof(ExtensionHeader) == 8 && sizeof(SecurityContext) == 8 && sizeof(SupplementaryGroups) == 4);

}  // namespace dmmap::protocol
