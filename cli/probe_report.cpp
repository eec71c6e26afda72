#include "cli/probe_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace dmmap::cli {

namespace {

std::string rows_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& each : findings) {
    text += fmt::format("  {:<4}{:<18}{}\n", each.have ? "yes" : "no", each.name, each.detail);
    if (!each.remedy.empty()) {
      text += fmt::format("      {:<18}to have it: {}\n", "", each.remedy);
    }
  }
  return text;
}

nlohmann::json json_of(const std::vector<Finding>& findings) {
  auto list = nlohmann::json::array();
  for (const Finding& each : findings) {
    list.push_back({{"name", each.name}, {"have", each.have}, {"detail", each.detail}, {"remedy", each.remedy}});
  }
  return list;
}

std::string fuse_version(const ProbeReport& report) {
  return report.mount ? fmt::format("7.{}", report.mount->kernel_minor) : std::string("unknown");
}

}  // namespace

std::string table_of(const ProbeReport& report, const std::vector<Finding>& servers) {
  return fmt::format(
      "Linux {}, FUSE {}\n\n{}\nTiers: when a server is asked what to map\n{}\nServers: what each would choose "
      "here\n{}",
      report.kernel, fuse_version(report), rows_of(report.findings), rows_of(report.tiers), rows_of(servers));
}

std::string json_of(const ProbeReport& report, const std::vector<Finding>& servers) {
  nlohmann::json json{
      {"kernel", report.kernel},        {"fuse", fuse_version(report)}, {"findings", json_of(report.findings)},
      {"tiers", json_of(report.tiers)}, {"servers", json_of(servers)},  {"features", nlohmann::json::array()}};
  if (report.mount) {
    for (const FeatureState& each : report.mount->features) {
      json["features"].push_back(
          {{"name", feature_name(each.feature)}, {"have", each.have}, {"why_not", each.why_not}});
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace dmmap::cli
