#include "cli/sound_control_command.h"

#include <dmmap/error.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <ostream>
#include <string>

#include "cli/daemon_options.h"
#include "cli/patience.h"
#include "cli/served_file.h"
#include "cli/watch_option.h"
#include "servers/sound/control/control_command.h"
#include "servers/sound/control/status_json.h"

namespace dmmap::cli {

namespace {

using sound::CardStatus;
using sound::HalfStatus;
using sound::Level;

constexpr std::chrono::seconds kPatience{5};
constexpr const char* kCommand = "dmmap sound";

struct Settings {
  std::string mountpoint;
  std::string target;
  std::string level;
  bool json = false;
  double watch = 0;  // seconds; 0: once
};

Result<std::string> write_now(const std::string& path, const std::string& line) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return tl::unexpected(cannot(errno, path, kCommand));
  }
  const ssize_t wrote = ::write(fd, line.data(), line.size());
  const int code = errno;
  ::close(fd);
  if (wrote < 0) {
    return code == ESRCH ? fail(code, "there's no such stream; `dmmap sound status` names those that there are")
                         : Result<std::string>(tl::unexpected(cannot(code, path, kCommand)));
  }
  return std::string();
}

std::string words(const Level& level) {
  const std::string percent =
      level.left == level.right ? fmt::format("{}%", level.left) : fmt::format("{}:{}%", level.left, level.right);
  return level.muted ? percent + " muted" : percent;
}

void print_half(std::ostream& out, const sound::StreamStatus& stream, const HalfStatus& half, bool records) {
  out << fmt::format("{:>6}  {:<22} {:<6} {:<7} {:<5} {:<28} {:>10.2f} {:>6}% {:>6} {:>5}  {}\n", stream.number,
                     fmt::format("{}[{}]", printable(stream.program), stream.pid), stream.device,
                     half.running ? (records ? "records" : "plays") : "idle", half.path, describe(half.format),
                     half.seconds, half.ring == 0 ? 0 : 100 * half.fill / half.ring, half.xruns, half.slips,
                     words(half.level));
}

void print(std::ostream& out, const CardStatus& status) {
  out << fmt::format("master {}, pcm {}, recording {}\n", words(status.master), words(status.pcm),
                     words(status.recording));
  out << fmt::format("since it began: {} streams, {} underruns, {} overruns, {} slips\n", status.totals.streams,
                     status.totals.underruns, status.totals.overruns, status.totals.slips);
  out << fmt::format("{:>6}  {:<22} {:<6} {:<7} {:<5} {:<28} {:>10} {:>7} {:>6} {:>5}  {}\n", "stream", "program",
                     "device", "state", "path", "format", "seconds", "fill", "xruns", "slips", "level");
  for (const auto& stream : status.streams) {
    if (stream.playback) {
      print_half(out, stream, *stream.playback, false);
    }
    if (stream.recording) {
      print_half(out, stream, *stream.recording, true);
    }
  }
}

// The text of the server's status, and what it says.
struct Status {
  std::string text;
  CardStatus card;
};
Result<Status> status_at(const std::string& mountpoint) {
  const std::string path = mountpoint + "/status";
  auto text = read_served(path, kCommand);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto card = sound::status_of(*text);
  if (!card) {
    return fail(EPROTO,
                fmt::format("{} isn't a sound server's: name the directory that `dmmap sound` was started with", path));
  }
  return Status{std::move(*text), std::move(*card)};
}

Result<void> change(const std::string& mountpoint, const sound::ControlCommand& command) {
  // Not into a file `control` of something else.
  if (const auto status = status_at(mountpoint); !status) {
    return tl::unexpected(status.error());
  }
  const std::string path = mountpoint + "/control";
  const std::string line = line_of(command) + "\n";
  const auto done = with_patience(path, kPatience, [path, line] { return write_now(path, line); });
  return done ? Result<void>() : tl::unexpected(done.error());
}

Result<void> show_once(const Settings& settings, std::ostream& out) {
  const auto status = status_at(settings.mountpoint);
  if (!status) {
    return tl::unexpected(status.error());
  }
  if (settings.json) {
    out << status->text;
  } else {
    print(out, status->card);
  }
  return {};
}

// "50" or "50:70".
Result<sound::ControlCommand> with_level(sound::ControlCommand command, const std::string& level) {
  const std::size_t colon = level.find(':');
  const auto left = sound::parse_percent(level.substr(0, colon));
  const auto right = colon == std::string::npos ? left : sound::parse_percent(level.substr(colon + 1));
  if (!left || !right) {
    return tl::unexpected(left ? right.error() : left.error());
  }
  command.left = *left;
  command.right = *right;
  return command;
}

void add_change(CLI::App& sound, const std::string& name, const std::string& help, sound::ControlCommand::Kind kind,
                std::ostream& err, int& status) {
  CLI::App* command = sound.add_subcommand(name, help);
  const auto settings = std::make_shared<Settings>();
  command->add_option("mountpoint", settings->mountpoint, "the server's directory")->required();
  command->add_option("target", settings->target, "master, pcm, recording, or a stream's number")->required();
  const bool volume = kind == sound::ControlCommand::Kind::volume;
  if (volume) {
    command->add_option("level", settings->level, "percent, for both sides, or LEFT:RIGHT")->required();
  }
  command->callback([&err, &status, settings, kind, volume, name] {
    const auto complain = [&](const Error& error, int code) {
      err << "dmmap sound " << name << ": " << error.message << std::endl;
      status = code;
    };
    const auto target = sound::parse_target(settings->target);
    if (!target) {
      return complain(target.error(), kUsage);
    }
    Result<sound::ControlCommand> wanted = sound::ControlCommand{kind, *target, 0, 0};
    if (volume) {
      wanted = with_level(*wanted, settings->level);
    }
    if (!wanted) {
      return complain(wanted.error(), kUsage);
    }
    if (const auto done = change(settings->mountpoint, *wanted); !done) {
      complain(done.error(), kFailed);
    }
  });
}

}  // namespace

void add_sound_control_commands(CLI::App& sound, std::ostream& out, std::ostream& err, int& status) {
  using Kind = sound::ControlCommand::Kind;
  CLI::App* command = sound.add_subcommand("status", "Show what plays and records at a running server");
  const auto settings = std::make_shared<Settings>();
  command->add_option("mountpoint", settings->mountpoint, "the server's directory")->required();
  command->add_flag("--json", settings->json, "as JSON, a line each time");
  add_watch_option(*command, settings->watch, "again and again, every so many seconds; alone: every second");
  command->callback([&out, &err, &status, settings] {
    const auto shown = show_again(settings->watch, !settings->json, out, [&] { return show_once(*settings, out); });
    if (!shown) {
      err << "dmmap sound status: " << shown.error().message << std::endl;
      status = kFailed;
    }
  });
  add_change(sound, "volume", "Set a level of a running server", Kind::volume, err, status);
  add_change(sound, "mute", "Mute a stream, or all", Kind::mute, err, status);
  add_change(sound, "unmute", "Undo mute", Kind::unmute, err, status);
}

}  // namespace dmmap::cli
