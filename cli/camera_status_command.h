// `dmmap camera status`: who captures from a running server.
#pragma once

#include <CLI/CLI.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// Adds it to `dmmap camera`.
void add_camera_status_command(CLI::App& camera, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
