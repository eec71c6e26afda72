// `dmmap regions` for people: the JSON of list_regions() as a table.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace dmmap::cli {

/// What has changed since, for rates.
struct Since {
  const nlohmann::json* before = nullptr;  ///< null: totals instead
  double seconds = 0;
};

/// Lines, each cut to `width` columns; 0: as long as they are.
[[nodiscard]] std::string region_table(const nlohmann::json& listing, const Since& since, unsigned width);

}  // namespace dmmap::cli
