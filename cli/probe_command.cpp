#include "cli/probe_command.h"

#include <dmmap/probe.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <vector>

#include "cli/probe_report.h"
#include "servers/camera/device/camera_filesystem.h"
#include "servers/sound/device/sound_filesystem.h"

namespace dmmap::cli {

namespace {

// As a server of this name would say it of its own mount.
Finding device_server(const char* name, const device::MapWords& words, const ProbeReport& report) {
  if (!report.mount) {
    return {name, false, "nothing mounts", "see mount"};
  }
  const auto choice = device::choose_map(words, device::MapWish::automatic, *report.mount);
  if (!choice) {
    return {name, false, choice.error().message, "see mount"};
  }
  const bool have = choice->kind != device::MapKind::none;
  return {name, have, describe(words, *choice), have ? std::string() : choice->remedy};
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
    const std::vector<Finding> servers{device_server("camera", camera::kBufferWords, *report),
                                       device_server("sound", sound::kRingWords, *report)};
    out << (*as_json ? json_of(*report, servers) : table_of(*report, servers));
    const bool any =
        std::any_of(report->tiers.begin(), report->tiers.end(), [](const Finding& tier) { return tier.have; });
    status = any ? 0 : 1;
  });
}

}  // namespace dmmap::cli
