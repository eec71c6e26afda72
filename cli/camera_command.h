// `dmmap camera`: video devices that programs capture from.
#pragma once

#include <CLI/CLI.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// Adds the command. When it's been run, `status` is its exit status.
void add_camera_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
