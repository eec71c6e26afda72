// dmmap regions MOUNTPOINT: who holds what of a mount.
#pragma once

#include <CLI/CLI.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// Adds the command. `status` is 1 when it can't be told.
void add_regions_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
