// What this library does when a process begins and when it forks.
#pragma once

namespace dmmap::preload {

/// False in a child made by vfork(2), which shares the parent's memory, but not its descriptors.
[[nodiscard]] bool is_own_process();

}  // namespace dmmap::preload
