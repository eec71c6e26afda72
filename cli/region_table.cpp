#include "cli/region_table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace dmmap::cli {

namespace {

using nlohmann::json;

// "1.0 MiB"; "-" for what isn't known.
std::string bytes(const json& count) {
  if (!count.is_number()) {
    return "-";
  }
  constexpr std::array<const char*, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto amount = count.get<double>();
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", amount) : fmt::format("{:.1f} {}", amount, kUnits.at(unit));
}

const json* find(const json& listing, const json& id) {
  for (const json& region : listing["regions"]) {
    if (region["id"] == id) {
      return &region;
    }
  }
  return nullptr;
}

// A total, or how many a second.
std::string count(const json& region, const char* what, const Since& since) {
  if (!region.contains(what)) {
    return "-";
  }
  const auto now = region[what].get<std::uint64_t>();
  if (since.before == nullptr) {
    return fmt::format("{}", now);
  }
  const json* const before = find(*since.before, region["id"]);
  const std::uint64_t then = before != nullptr && before->contains(what) ? (*before)[what].get<std::uint64_t>() : 0;
  return fmt::format("{:.1f}/s", static_cast<double>(now - std::min(now, then)) / since.seconds);
}

std::string text(const json& value) {
  return value.get<std::string>();
}

std::string mapping_line(const json& mapping) {
  return fmt::format("    {:<8} {:<16} {:<8} {:<5} {:>12} +{}", mapping["process"].get<std::uint32_t>(),
                     text(mapping["program"]), text(mapping["tier"]), text(mapping["prot"]), bytes(mapping["length"]),
                     mapping["offset"].get<std::uint64_t>());
}

bool maps(const json& region, const json& process) {
  return std::any_of(region["mappings"].begin(), region["mappings"].end(),
                     [&](const json& mapping) { return mapping["process"] == process; });
}

std::string cut(const std::string& lines, unsigned width) {
  if (width == 0) {
    return lines;
  }
  std::string result;
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    result += lines.substr(at, std::min<std::size_t>(end - at, width)) + "\n";
    at = end + 1;
  }
  return result;
}

}  // namespace

std::string region_table(const json& listing, const Since& since, unsigned width) {
  std::string lines = fmt::format("{:>8}  {:<7}{:>10}{:>10}{:>9}{:>11}  {}\n", "REGION", "KIND", "SIZE", "RESIDENT",
                                  "FAULTS", "WRITEBACKS", "NAME");
  lines += fmt::format("    {:<8} {:<16} {:<8} {:<5} {:>12} +{}\n", "PROCESS", "PROGRAM", "TIER", "PROT", "LENGTH",
                       "OFFSET");
  for (const json& region : listing["regions"]) {
    lines += fmt::format("{:>8}  {:<7}{:>10}{:>10}{:>9}{:>11}  {}\n", region["id"].get<std::uint64_t>(),
                         text(region["kind"]), bytes(region["size"]), bytes(region["resident"]),
                         count(region, "faults", since), count(region, "writebacks", since), text(region["name"]));
    for (const json& mapping : region["mappings"]) {
      lines += mapping_line(mapping) + "\n";
    }
    for (const json& holding : region["holdings"]) {
      if (!maps(region, holding["process"])) {
        lines += fmt::format("    {:<8} {:<16} {:<8} open, not mapped\n", holding["process"].get<std::uint32_t>(),
                             text(holding["program"]), text(holding["tier"]));
      }
    }
  }
  if (listing["regions"].empty()) {
    lines += "  nobody has a region open or mapped\n";
  }
  if (!listing["other_mappings"].empty()) {
    lines += "Mappings of no region that the server holds any more\n";
    for (const json& mapping : listing["other_mappings"]) {
      lines += mapping_line(mapping) + "\n";
    }
  }
  return cut(lines, width);
}

}  // namespace dmmap::cli
