// The command line: `dmmap COMMAND ...`, as a function that main and tests call.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace dmmap::cli {

/// Runs `dmmap` with `arguments` (without the program's name). Returns the exit status: 0, 1 for a failure, 2 for a
/// usage error; what went wrong stands on `err` in a line.
int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace dmmap::cli
