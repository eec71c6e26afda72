// Where and how a file system is mounted.
//
// Promises: plain values.
#pragma once

#include <string>

namespace dmmap {

struct MountOptions {
  std::string mountpoint;           ///< an existing directory
  std::string source = "dmmap";     ///< as /proc/mounts shows it, first column
  std::string subtype = "dmmap";    ///< as /proc/mounts shows it, "fuse.SUBTYPE"; `dmmap run` asks only where it's
                                    ///< "dmmap" or begins with "dmmap."
  bool allow_other = false;         ///< users other than the one who mounted may come in (fuse(8))
  bool default_permissions = true;  ///< the kernel checks modes and owners (fuse(8))
  bool read_only = false;
};

}  // namespace dmmap
