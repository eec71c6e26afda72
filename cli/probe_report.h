// A ProbeReport as a person and as a program want it.
#pragma once

#include <dmmap/probe.h>

#include <string>

namespace dmmap::cli {

/// Lines of "yes  name  detail", with what to do below each that is missing.
[[nodiscard]] std::string table_of(const ProbeReport& report);

/// {"kernel": ..., "fuse": "7.45", "findings": [{"name", "have", "detail", "remedy"}], "tiers": [...], "features":
/// [...]}
[[nodiscard]] std::string json_of(const ProbeReport& report);

}  // namespace dmmap::cli
