// `dmmap probe`: what this kernel and this user can do, as a table or as JSON.
#pragma once

#include <CLI/App.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// Adds the command to `app`. Its outcome goes to `status`: 0 when some tier works, 1 when none does.
void add_probe_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
