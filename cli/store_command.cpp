#include "cli/store_command.h"

#include <dmmap/session.h>

#include <fmt/format.h>

#include <memory>
#include <ostream>
#include <string>

#include "cli/daemon_options.h"
#include "cli/store_report_commands.h"
#include "cli/store_snapshot_command.h"
#include "servers/store/filesystem/store_filesystem.h"
#include "servers/store/kv/database.h"

namespace dmmap::cli {

namespace {

constexpr const char* kName = "dmmap store";

struct Settings {
  std::string database;
  std::string mountpoint;
  bool create = false;
  bool accept_loss = false;
  unsigned cache = 64;  // MiB
  unsigned threads = 2;
  DaemonOptions daemon;
};

constexpr const char* kFooter = R"(Signals: SIGINT and SIGTERM write back what programs stored, and end it.

A store whose folder is called as one of the commands is named with a path, as in `dmmap store ./stat MOUNTPOINT`.)";

// What its options can do about it.
Error with_advice(Error error, bool create) {
  if (error.code == ENOENT && !create) {
    error.message += ": --create makes one";
  } else if (error.code == EUCLEAN) {
    error.message += ", or give up what is lost, and all that was changed after it, with --accept-loss";
  }
  return error;
}

// Serves until it's told to end.
Result<void> serve(const Settings& settings, const DaemonOutput& output, daemon::Readiness& readiness) {
  constexpr unsigned kMegabyte = 20;  // bits
  store::DatabaseOptions wanted;
  wanted.create = settings.create;
  wanted.accept_loss = settings.accept_loss;
  wanted.cache_bytes = std::size_t{settings.cache} << kMegabyte;
  const auto database = store::Database::open(settings.database, wanted);
  if (!database) {
    return tl::unexpected(with_advice(database.error(), settings.create));
  }
  for (const std::string& remark : (*database)->remarks()) {
    output.log(LogLevel::warning, remark);
  }
  const auto filesystem = store::StoreFilesystem::over(**database, settings.database, output.log);
  if (!filesystem) {
    return tl::unexpected(filesystem.error());
  }
  SessionOptions options;
  options.mount.mountpoint = settings.mountpoint;
  options.mount.source = absolute(settings.database);
  options.mount.subtype = "dmmap.store";
  options.mount.allow_other = settings.daemon.allow_other();
  options.threads = settings.threads;
  options.writeback_cache = true;
  options.readdirplus = true;
  options.log = output.log;
  options.trace = output.trace;
  auto session = Session::mount(**filesystem, std::move(options));
  if (!session) {
    return tl::unexpected(session.error());
  }
  auto ended = session->wait_or_signal(
      {}, [&] { readiness.ready(fmt::format("{}: {} is at {}", kName, settings.database, session->mountpoint())); });
  daemon::Readiness::stopping();
  const auto synced = (*database)->sync();
  return ended ? synced : ended;
}

int run_store(const Settings& settings, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const std::string& message) { err << kName << ": " << message << std::endl; };
  if (settings.database.empty() || settings.mountpoint.empty()) {
    complain("name the store's folder and an existing directory, as in `dmmap store /var/lib/store /mnt --create`");
    return kUsage;
  }
  const auto output = open_output(kName, settings.daemon, err);
  if (!output) {
    complain(output.error().message);
    return kUsage;
  }
  // Detached, it isn't in this directory any more.
  Settings found = settings;
  found.database = absolute(settings.database);
  found.mountpoint = absolute(settings.mountpoint);
  return run_daemon(kName, settings.daemon, output->log, out, err,
                    [&](daemon::Readiness& readiness) { return serve(found, *output, readiness); });
}

}  // namespace

void add_store_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status) {
  CLI::App* command = app.add_subcommand(
      "store", "Serve a file system whose files are lists of pages: copies share them, and take no time or space");
  const auto settings = std::make_shared<Settings>();
  // Not needed by the commands about a store.
  command->add_option("database", settings->database, "the store's folder");
  command->add_option("mountpoint", settings->mountpoint, "an existing directory");
  add_store_report_commands(*command, out, err, status);
  add_store_snapshot_command(*command, err, status);
  command->add_flag("--create", settings->create, "make the store if there's none yet");
  command->add_flag("--accept-loss", settings->accept_loss,
                    "serve a store whose newest changes are damaged, as it was before them; keeps a copy of their log");
  command->add_option("--cache", settings->cache, "memory for what is read and what is written, in MiB each")
      ->check(CLI::Range(8U, 65536U))
      ->capture_default_str();
  command->add_option("--threads", settings->threads, "how many serve requests")
      ->check(CLI::Range(1U, 64U))
      ->capture_default_str();
  add_daemon_options(*command, settings->daemon);
  command->footer(kFooter);
  command->callback([&out, &err, &status, settings, command] {
    if (command->get_subcommands().empty()) {
      status = run_store(*settings, out, err);
    }
  });
}

}  // namespace dmmap::cli
