// `dmmap sound`: serves the sound device until it's told to end.
#pragma once

#include <CLI/App.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// Adds the command to `app`. Its outcome goes to `status`: 0 when it ended as it was told to and the sink has
/// everything, 1 after a failure, which stands on `err` in a line, 2 when it was told something impossible.
void add_sound_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
