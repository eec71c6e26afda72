#include "cli/sound_command.h"

#include <dmmap/session.h>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "cli/daemon_options.h"
#include "cli/device_options.h"
#include "cli/number.h"
#include "cli/sound_control_command.h"
#include "servers/sound/control/metrics.h"
#include "servers/sound/device/sound_filesystem.h"
#include "servers/sound/mix/engine.h"

namespace dmmap::cli {

namespace {

constexpr const char* kName = "dmmap sound";
constexpr unsigned kLiveRate = 48000;  // Hz
constexpr unsigned kLiveChannels = 2;

struct Settings {
  std::string mountpoint;
  std::string cuse;
  std::string sink = "null";
  std::string source = "silence";
  std::string rate = "auto";
  std::string channels = "auto";
  MapOptions map;
  std::string metrics;
  DaemonOptions daemon;
};

constexpr const char* kFooter = R"(Signals: SIGINT and SIGTERM end it; SIGHUP makes what the sink has safe on disk.

A program that insists on /dev/dsp finds it by a symbolic link: ln -s MOUNTPOINT/dsp /dev/dsp)";

// "auto" is nothing; other than a number from `lowest` to `highest` is an error.
Result<std::optional<unsigned>> number_or_auto(const std::string& option, const std::string& text, unsigned lowest,
                                               unsigned highest) {
  if (text == "auto") {
    return std::optional<unsigned>();
  }
  const auto value = parse_number(text, lowest, highest);
  if (!value) {
    return fail(EINVAL, fmt::format("{} has to be auto or {} to {}, not '{}'", option, lowest, highest, text));
  }
  return value;
}

// What all of it is checked to be before anything is mounted or a process detached.
struct Checked {
  sound::SinkChoice sink;
  sound::SourceChoice source;
  sound::MixFormat format;
  MapWishes map;
  DaemonOutput output;
};

Result<Checked> check(const Settings& settings, std::ostream& err) {
  Checked checked;
  const auto rate = number_or_auto("--rate", settings.rate, sound::kLowestRate, sound::kHighestRate);
  const auto channels = number_or_auto("--channels", settings.channels, 1, sound::kMostChannels);
  if (!rate || !channels) {
    return tl::unexpected(!rate ? rate.error() : channels.error());
  }
  checked.format = {*rate, *channels};
  const auto map = cli::check(sound::kRingWords, settings.map);
  if (!map) {
    return tl::unexpected(map.error());
  }
  checked.map = *map;
  const auto sink = sound::parse_sink(settings.sink);
  if (!sink) {
    return tl::unexpected(sink.error());
  }
  checked.sink = *sink;
  if (sink->live()) {
    // For whoever plays next, too: the first may be a beep.
    checked.format = {rate->value_or(kLiveRate), channels->value_or(kLiveChannels)};
  }
  const auto source = sound::parse_source(settings.source);
  if (!source) {
    return tl::unexpected(source.error());
  }
  checked.source = *source;
  if (!settings.metrics.empty()) {
    if (const auto address = sound::check_metrics_address(settings.metrics); !address) {
      return tl::unexpected(address.error());
    }
  }
  auto output = open_output(kName, settings.daemon, err);
  if (!output) {
    return tl::unexpected(output.error());
  }
  checked.output = std::move(*output);
  return checked;
}

// Serves until it's told to end.
Result<void> serve(const Settings& settings, const Checked& checked, daemon::Readiness& readiness) {
  auto sink = sound::open_sink(checked.sink, checked.output.log);
  if (!sink) {
    return tl::unexpected(sink.error());
  }
  const auto source = sound::open_source(checked.source, checked.output.log);
  if (!source) {
    return tl::unexpected(source.error());
  }
  const sound::MachineClock clock;
  sound::Levels levels;
  sound::Engine engine(clock,
                       std::make_unique<sound::Mixer>(std::move(*sink), checked.format, levels, checked.output.log));
  sound::SoundFilesystem filesystem({clock, engine, source->get(), levels, checked.map.kind, checked.output.log,
                                     settings.cuse.empty() ? absolute(settings.mountpoint) : "/dev/" + settings.cuse});
  SessionOptions options = session_options("dmmap-sound", checked.map, settings.daemon, checked.output);
  options.mount.mountpoint = settings.mountpoint;
  auto session = settings.cuse.empty()
                     ? Session::mount(filesystem, std::move(options))
                     : Session::device(filesystem, {.name = settings.cuse, .node = *filesystem.node_of("dsp")},
                                       std::move(options));
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto chosen = log_choice(sound::kRingWords, filesystem.rings(), checked.output.log); !chosen) {
    return chosen;
  }
  std::unique_ptr<sound::Metrics> metrics;
  if (!settings.metrics.empty()) {
    auto serving = sound::Metrics::serve(settings.metrics, filesystem);
    if (!serving) {
      return tl::unexpected(serving.error());
    }
    metrics = std::move(*serving);
    checked.output.log(LogLevel::info, "metrics are at " + metrics->url());
  }
  engine.start();
  auto ended = session->wait_or_signal(
      [&engine] { engine.sync(); },
      [&] {
        const std::string place = settings.cuse.empty() ? session->mountpoint() : "/dev/" + settings.cuse;
        readiness.ready(fmt::format("{}: ready at {} (sink {})", kName, place, settings.sink));
      });
  daemon::Readiness::stopping();
  engine.stop();
  if (ended && engine.failed()) {
    return fail(EIO, "the sink hasn't got everything; the log says why");
  }
  return ended;
}

int run_sound(const Settings& settings, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const std::string& message) { err << kName << ": " << message << std::endl; };
  if (!settings.cuse.empty() && !settings.mountpoint.empty()) {
    complain("a mount or --cuse, not both: one server is one device");
    return kUsage;
  }
  if (settings.cuse.empty() && settings.mountpoint.empty()) {
    complain("mountpoint is required: name an existing directory, as in `dmmap sound /run/dmmap-sound`");
    return kUsage;
  }
  const auto checked = check(settings, err);
  if (!checked) {
    complain(checked.error().message);
    return kUsage;
  }
  return run_daemon(kName, settings.daemon, checked->output.log, out, err,
                    [&](daemon::Readiness& readiness) { return serve(settings, *checked, readiness); });
}

}  // namespace

void add_sound_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status) {
  CLI::App* command =
      app.add_subcommand("sound", "Serve MOUNTPOINT/dsp, a sound device that programs write to or mmap");
  const auto settings = std::make_shared<Settings>();
  // Not needed by the commands about a running server.
  command->add_option("mountpoint", settings->mountpoint, "an existing directory");
  add_sound_control_commands(*command, out, err, status);
  command->add_option("--sink", settings->sink, "where what is played goes: wav:FILE, pulse[:SINK], alsa[:PCM] or null")
      ->capture_default_str();
  command
      ->add_option("--source", settings->source,
                   "what programs record: wav:FILE, pulse[:SOURCE], alsa[:PCM], silence or none")
      ->capture_default_str();
  command
      ->add_option("--rate", settings->rate,
                   "the sink's rate in Hz; auto: that of the first stream that plays, or 48000 for pulse and alsa")
      ->capture_default_str();
  command
      ->add_option("--channels", settings->channels,
                   "the sink's channels, 1 to 8; auto: as the first stream that plays, or 2 for pulse and alsa")
      ->capture_default_str();
  add_map_options(*command, sound::kRingWords, "a ring", settings->map);
  command->add_option(
      "--cuse", settings->cuse,
      "in place of a mount, make /dev/NAME: a character device, which needs root and /dev/cuse, and for "
      "mmap a kernel with dmmap's patches");
  add_daemon_options(*command, settings->daemon);
  command->add_option("--metrics", settings->metrics,
                      "serve metrics for Prometheus at this ADDRESS:PORT, as 127.0.0.1:9464");
  command->footer(kFooter);
  command->callback([&out, &err, &status, settings, command] {
    if (command->get_subcommands().empty()) {
      status = run_sound(*settings, out, err);
    }
  });
}

}  // namespace dmmap::cli
