// Who holds which region of a mount: what its server says, and what the kernel says about its mappings.
#pragma once

#include <dmmap/error.h>

#include <string>

namespace dmmap::cli {

/// One JSON object, as `dmmap regions --json` prints it (dmmap-regions(1)). Asks the server, which may have stopped
/// answering: call it by with_patience().
/// Errors: ENODEV when `mountpoint` isn't a mount of dmmap's; EACCES; ENOTCONN; those of the files that are read.
[[nodiscard]] Result<std::string> list_regions(const std::string& mountpoint);

}  // namespace dmmap::cli
