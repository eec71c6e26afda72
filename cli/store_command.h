// `dmmap store`: serves a page store until it's told to end, and says what is in one.
#pragma once

#include <CLI/App.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// Adds the command to `app`. Its outcome goes to `status`: 0 when it ended as it was told to and all is on the disk,
/// 1 after a failure, which stands on `err` in a line, 2 when it was told something impossible.
void add_store_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
