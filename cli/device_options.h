// What commands have in common that serve devices which programs map: the options about what is mapped and when, and
// how these are carried out.
#pragma once

#include <dmmap/capabilities.h>
#include <dmmap/error.h>
#include <dmmap/log.h>
#include <dmmap/session.h>

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "cli/daemon_options.h"
#include "servers/device/map_choice.h"

namespace dmmap::cli {

struct MapOptions {
  std::string kind = "auto";
  std::string tier = "auto";
};

/// MapWords::option and --tier; `granted` is what programs are granted, "a ring". `options` must outlive the command.
void add_map_options(CLI::App& command, const device::MapWords& words, const std::string& granted, MapOptions& options);

struct MapWishes {
  device::MapWish kind = device::MapWish::automatic;
  std::optional<Tier> tier;  ///< absent: wherever it can be
};
/// Errors: EINVAL.
[[nodiscard]] Result<MapWishes> check(const device::MapWords& words, const MapOptions& options);

/// How to serve such a device, all but the mount point.
[[nodiscard]] SessionOptions session_options(const std::string& source, const MapWishes& wishes,
                                             const DaemonOptions& daemon, const DaemonOutput& output);

/// Tells the log what was chosen, and what to do where that's nothing. Errors: those of choose_map().
Result<void> log_choice(const device::MapWords& words, const Result<device::MapChoice>& choice, const LogSink& log);

}  // namespace dmmap::cli
