#include "cli/probe_command.h"

#include <dmmap/probe.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <vector>

#include "cli/probe_report.h"
#include "servers/sound/device/sound_filesystem.h"

namespace dmmap::cli {

namespace {

// As `dmmap sound` would say it of its own mount.
Finding sound_server(const ProbeReport& report) {
  if (!report.mount) {
    return {"sound", false, "nothing mounts", "see mount"};
  }
  const auto rings = device::choose_map(sound::kRingWords, device::MapWish::automatic, *report.mount);
  if (!rings) {
    return {"sound", false, rings.error().message, "see mount"};
  }
  const bool have = rings->kind != device::MapKind::none;
  return {"sound", have, describe(sound::kRingWords, *rings), have ? std::string() : rings->remedy};
}

}  // namespace

void add_probe_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status) {
  CLI::App* command =
      app.add_subcommand("probe", "Say what this kernel and this user can do, and what to do about the rest");
  const auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "for programs");
  command->callback([&out, &err, &status, as_json] {
    const auto report = probe();
    if (!report) {
      err << "dmmap probe: " << report.error().message << "\n";
      status = 1;
      return;
    }
    const std::vector<Finding> servers{sound_server(*report)};
    out << (*as_json ? json_of(*report, servers) : table_of(*report, servers));
    const bool any =
        std::any_of(report->tiers.begin(), report->tiers.end(), [](const Finding& tier) { return tier.have; });
    status = any ? 0 : 1;
  });
}

}  // namespace dmmap::cli
