#include "cli/tier_option.h"

#include <fmt/format.h>

#include <cerrno>

namespace dmmap::cli {

Result<std::optional<Tier>> parse_tier(const std::string& text) {
  for (const Tier tier : {Tier::open, Tier::preload, Tier::kernel}) {
    if (text == tier_name(tier)) {
      return tier;
    }
  }
  return text == "auto" ? Result<std::optional<Tier>>(std::nullopt)
                        : fail(EINVAL, fmt::format("--tier has to be auto, open, preload or kernel, not '{}'", text));
}

}  // namespace dmmap::cli
