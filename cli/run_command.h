// dmmap run PROGRAM ARGS...: a program whose every mmap of a file of dmmap's asks the server.
#pragma once

#include <CLI/CLI.hpp>

#include <iosfwd>
#include <string>
#include <vector>

namespace dmmap::cli {

/// The arguments without the "--" that may stand between this command's options and the program.
[[nodiscard]] std::vector<std::string> without_separator(std::vector<std::string> arguments);

/// Adds the command. When it's chosen the program takes this process's place; `status` is set where it can't: 127 when
/// there is no such program, 126 when it can't be executed, 1 when the library is missing.
void add_run_command(CLI::App& app, std::ostream& err, int& status);

}  // namespace dmmap::cli
