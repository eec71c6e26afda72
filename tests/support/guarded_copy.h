// Copying from and to mappings that may give SIGBUS, in a process of the test's own.
#pragma once

#include <cstddef>

namespace dmmap::testing {

/// From now on SIGBUS ends copy_guarded(). For a process that has one thread which copies.
void guard_copies();
/// Byte by byte through volatile pointers, as a program does that knows nothing of servers. False when there was a
/// SIGBUS, after some of it may have been copied. REQUIRES: guard_copies()
bool copy_guarded(volatile unsigned char* to, const volatile unsigned char* from, std::size_t size);

}  // namespace dmmap::testing
