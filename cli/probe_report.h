// A ProbeReport as a person and as a program want it.
#pragma once

#include <dmmap/probe.h>

#include <string>
#include <vector>

namespace dmmap::cli {

/// Lines of "yes  name  detail", with what to do below each that is missing.
/// `servers`: what servers of ours would choose here.
[[nodiscard]] std::string table_of(const ProbeReport& report, const std::vector<Finding>& servers);

/// {"kernel": ..., "fuse": "7.45", "findings": [{"name", "have", "detail", "remedy"}], "tiers": [...], "servers":
/// [...], "features": [...]}
[[nodiscard]] std::string json_of(const ProbeReport& report, const std::vector<Finding>& servers);

}  // namespace dmmap::cli
