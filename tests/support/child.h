// Children of the test's own process that do something by themselves, as the same program.
#pragma once

#include <sys/types.h>

namespace dmmap::testing {

/// fork(2), for a child that has no file open but `kept` and the standard ones: a descriptor of a mount that it held
/// would count as a user. It's killed with the thread that called this (PR_SET_PDEATHSIG).
[[nodiscard]] pid_t fork_with(int kept);

}  // namespace dmmap::testing
