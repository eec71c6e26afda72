#include "cli/daemon_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <ostream>

#include "servers/daemon/daemon_log.h"

namespace dmmap::cli {

bool DaemonOptions::allow_other() const {
  return ::geteuid() == 0 && !is_private;
}

void add_daemon_options(CLI::App& command, DaemonOptions& options) {
  command.add_flag("--daemon", options.detached, "detach when ready; the log goes to syslog, or to --log");
  command.add_option("--log", options.log_file, "log to this file");
  command.add_flag("--trace{-}", options.trace,
                   "print each request and its answer to stderr, or with --trace=FILE to a file");
  command.add_flag("--private", options.is_private, "for this user only, which is so anyhow unless it's root");
}

std::string absolute(const std::string& file) {
  std::error_code ignored;
  const auto path = std::filesystem::absolute(file, ignored);
  return ignored ? file : path.string();
}

namespace {

// "-" is stderr.
Result<std::function<void(const std::string&)>> open_trace(const std::string& where, std::ostream& err) {
  if (where.empty()) {
    return nullptr;
  }
  auto file = std::make_shared<std::ofstream>();
  if (where != "-") {
    file->open(where, std::ios::app);
    if (!*file) {
      return fail_errno(errno, fmt::format("can't write the trace {}", where));
    }
  }
  std::ostream& out = where == "-" ? err : *file;
  return [file, &out, lock = std::make_shared<std::mutex>()](const std::string& line) {
    const std::lock_guard guard(*lock);
    out << line << std::endl;
  };
}

}  // namespace

Result<DaemonOutput> open_output(const std::string& name, const DaemonOptions& options, std::ostream& err) {
  if (options.detached && options.trace == "-") {
    return fail(EINVAL, "--daemon has no stderr: say --trace=FILE");
  }
  DaemonOutput output;
  auto trace = open_trace(options.trace, err);
  if (!trace) {
    return tl::unexpected(trace.error());
  }
  output.trace = std::move(*trace);
  if (options.log_file.empty()) {
    output.log = options.detached ? daemon::log_to_syslog(name) : daemon::log_to_stream(name, err);
    return output;
  }
  auto log = daemon::log_to_file(name, absolute(options.log_file));
  if (!log) {
    return tl::unexpected(log.error());
  }
  output.log = std::move(*log);
  return output;
}

int run_daemon(const std::string& name, const DaemonOptions& options, const LogSink& log, std::ostream& out,
               std::ostream& err, const std::function<Result<void>(daemon::Readiness&)>& serve) {
  daemon::Readiness readiness(out);
  if (options.detached) {
    const auto status = readiness.detach(err);
    if (!status) {
      err << name << ": " << status.error().message << std::endl;
      return kFailed;
    }
    if (*status) {
      return **status;
    }
  }
  const auto served = serve(readiness);
  if (served) {
    return 0;
  }
  if (!readiness.failed(fmt::format("{}: {}", name, served.error().message))) {
    log(LogLevel::error, served.error().message);
  }
  return kFailed;
}

}  // namespace dmmap::cli
