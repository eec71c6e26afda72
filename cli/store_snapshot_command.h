// `dmmap store snapshot`: a copy of a file or a tree on a mount of `dmmap store`, by its server.
#pragma once

#include <CLI/CLI.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// `status` becomes the exit status: 0, or 1 when there's no snapshot, and `err` has a line that says why.
void add_store_snapshot_command(CLI::App& store, std::ostream& err, int& status);

}  // namespace dmmap::cli
