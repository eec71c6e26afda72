#include "cli/app.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <ostream>

#include "cli/camera_command.h"
#include "cli/probe_command.h"
#include "cli/regions_command.h"
#include "cli/run_command.h"
#include "cli/sound_command.h"
#include "cli/store_command.h"

namespace dmmap::cli {

int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CLI::App app("FUSE servers that decide what every mmap() of their files maps", "dmmap");
  app.set_version_flag("--version", "dmmap " DMMAP_VERSION);
  app.require_subcommand(1);
  int status = 0;
  add_camera_command(app, out, err, status);
  add_probe_command(app, out, err, status);
  add_regions_command(app, out, err, status);
  add_run_command(app, err, status);
  add_sound_command(app, out, err, status);
  add_store_command(app, out, err, status);
  // CLI11 takes them from the back.
  const std::vector<std::string> words = without_separator(arguments);
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, out, err);
    return code == 0 ? 0 : 2;
  }
  return status;
}

}  // namespace dmmap::cli
