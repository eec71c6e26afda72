// probe(): what this kernel and this user can do for dmmap, found by trying.
//
// Promises: mounts an empty file system in a temporary folder for a moment, unmounts it, and leaves nothing behind.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>

#include <optional>
#include <string>
#include <vector>

namespace dmmap {

/// One thing that was looked at.
struct Finding {
  std::string name;  ///< short and fixed: "fuse", "passthrough", ... (a key for programs)
  bool have = false;
  std::string detail;  ///< what was found
  std::string remedy;  ///< what to do about it; empty when it's there
};

/// What a probe found.
struct ProbeReport {
  std::string kernel;                 ///< uname(2)'s release
  std::optional<Capabilities> mount;  ///< what a mount of this user's gets; absent when none could be made
  std::vector<Finding> findings;
  std::vector<Finding> tiers;  ///< "open/shared", "open/paged", "preload", "kernel"
};

/// Errors: none that are the system's; those are findings. EMFILE, ENOSPC and the like from making the temporary
/// folder.
[[nodiscard]] Result<ProbeReport> probe();

}  // namespace dmmap
