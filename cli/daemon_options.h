// What commands that serve a mount have in common: the options about how they run, and how they begin and end.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <CLI/CLI.hpp>

#include <functional>
#include <iosfwd>
#include <string>

#include "servers/daemon/readiness.h"

namespace dmmap::cli {

inline constexpr int kFailed = 1;  ///< exit status of what was tried and failed
inline constexpr int kUsage = 2;   ///< of what was asked in a way that can't be

struct DaemonOptions {
  std::string log_file;
  std::string trace;
  bool detached = false;
  bool is_private = false;

  /// Whether users other than who started it may come in.
  [[nodiscard]] bool allow_other() const;
};

/// --daemon, --log, --trace and --private. `options` must outlive the command.
void add_daemon_options(CLI::App& command, DaemonOptions& options);

/// Where a server's lines go.
struct DaemonOutput {
  LogSink log;
  std::function<void(const std::string&)> trace;  ///< none: no tracing
};
/// Errors: EINVAL for what doesn't go together; what the system says of the files.
[[nodiscard]] Result<DaemonOutput> open_output(const std::string& name, const DaemonOptions& options,
                                               std::ostream& err);

/// Detaches if that's wished, and has `serve` serve until it ends. Returns the exit status; an error is told to who
/// started it, or to the log when that was told already that it serves.
int run_daemon(const std::string& name, const DaemonOptions& options, const LogSink& log, std::ostream& out,
               std::ostream& err, const std::function<Result<void>(daemon::Readiness&)>& serve);

/// A file that is named relative to the present directory, in a way that stays right when that changes.
[[nodiscard]] std::string absolute(const std::string& file);

}  // namespace dmmap::cli
