// Copying to and from memory that other processes use at the same moment.
//
// Promises: each aligned word of 8 bytes within the range, and each single byte outside of those, is read or written
// once and whole (relaxed atomics), so no word is torn and no compiler reads a value twice. Thread safety: every call.
#pragma once

#include <cstddef>

namespace dmmap::mapping {

/// `from` is shared, `to` private; `size` bytes. The ranges don't overlap.
void copy_from_shared(std::byte* to, const std::byte* from, std::size_t size);

/// `to` is shared, `from` private; `size` bytes. The ranges don't overlap.
void copy_to_shared(std::byte* to, const std::byte* from, std::size_t size);

}  // namespace dmmap::mapping
