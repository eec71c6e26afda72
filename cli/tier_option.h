// --tier: when a server is asked what is mapped.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>

#include <optional>
#include <string>

namespace dmmap::cli {

/// "open", "preload" or "kernel"; nothing for "auto": wherever it can be. Errors: EINVAL.
[[nodiscard]] Result<std::optional<Tier>> parse_tier(const std::string& text);

}  // namespace dmmap::cli
