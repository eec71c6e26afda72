// `dmmap sound status`, `volume`, `mute` and `unmute`: a running sound server, looked at and told what to do, by the
// files of its mount.
//
// Promises: a server that doesn't answer within five seconds is an error, not a wait. Thread safety: one thread at a
// time.
#pragma once

#include <CLI/CLI.hpp>

#include <iosfwd>

namespace dmmap::cli {

/// Adds them to `sound`. When one runs it leaves its exit status in `status`.
void add_sound_control_commands(CLI::App& sound, std::ostream& out, std::ostream& err, int& status);

}  // namespace dmmap::cli
