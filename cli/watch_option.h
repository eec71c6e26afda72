// --watch, as all commands have it that show something again and again.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace dmmap::cli {

/// `seconds` is how often it's wanted, and stays as it is where it isn't.
inline void add_watch_option(CLI::App& command, double& seconds, const std::string& help) {
  command.add_option("--watch", seconds, help)->expected(0, 1)->default_str("1")->check(CLI::Range(0.05, 86400.0));
}

}  // namespace dmmap::cli
