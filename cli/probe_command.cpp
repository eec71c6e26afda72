#include "cli/probe_command.h"

#include <dmmap/probe.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/probe_report.h"

namespace dmmap::cli {

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
    out << (*as_json ? json_of(*report) : table_of(*report));
    const bool any =
        std::any_of(report->tiers.begin(), report->tiers.end(), [](const Finding& tier) { return tier.have; });
    status = any ? 0 : 1;
  });
}

}  // namespace dmmap::cli
