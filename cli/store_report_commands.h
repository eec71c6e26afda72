// `dmmap store stat` and `dmmap store check`: what is in a store, and whether it's sound.
#pragma once

#include <CLI/CLI.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// `status` becomes the exit status: 0; 1 for a store that is damaged or can't be read; 2 for a wrong command line.
void add_store_report_commands(CLI::App& store, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
