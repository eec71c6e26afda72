#include "cli/sound_control_command.h"

#include <dmmap/error.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <thread>

#include "cli/patience.h"
#include "cli/watch_option.h"
#include "servers/sound/control/control_command.h"
#include "servers/sound/control/status_json.h"

namespace dmmap::cli {

namespace {

using sound::CardStatus;
using sound::HalfStatus;
using sound::Level;

constexpr std::chrono::seconds kPatience{5};
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Settings {
  std::string mountpoint;
  std::string target;
  std::string level;
  bool json = false;
  double watch = 0;  // seconds; 0: once
};

Error cannot(int code, const std::string& path) {
  if (code == ENOENT || code == ENOTDIR) {
    return {code, fmt::format("{} isn't there: name the directory that `dmmap sound` was started with", path)};
  }
  if (code == ENOTCONN) {
    return {code, fmt::format("{}: the server has ended; unmount with umount -l, and start it again", path)};
  }
  return {code, fmt::format("{}: {}", path, std::strerror(code))};
}

Result<std::string> read_now(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return tl::unexpected(cannot(errno, path));
  }
  std::string text;
  std::array<char, 4096> part{};
  ssize_t got = 0;
  while ((got = ::read(fd, part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  const int code = errno;
  ::close(fd);
  return got < 0 ? Result<std::string>(tl::unexpected(cannot(code, path))) : text;
}

Result<std::string> write_now(const std::string& path, const std::string& line) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return tl::unexpected(cannot(errno, path));
  }
  const ssize_t wrote = ::write(fd, line.data(), line.size());
  const int code = errno;
  ::close(fd);
  if (wrote < 0) {
    return code == ESRCH ? fail(code, "there's no such stream; `dmmap sound status` names those that there are")
                         : Result<std::string>(tl::unexpected(cannot(code, path)));
  }
  return std::string();
}

std::string words(const Level& level) {
  const std::string percent =
      level.left == level.right ? fmt::format("{}%", level.left) : fmt::format("{}:{}%", level.left, level.right);
  return level.muted ? percent + " muted" : percent;
}

// What isn't printable, a program's name may have.
std::string printable(std::string text) {
  for (char& each : text) {
    if (static_cast<unsigned char>(each) < ' ' || each == 0x7f) {
      each = '?';
    }
  }
  return text;
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
  auto text = with_patience(path, kPatience, [path] { return read_now(path); });
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
  out.flush();
  return {};
}

Result<void> show(const Settings& settings, std::ostream& out) {
  const bool redraw = settings.watch > 0 && !settings.json && ::isatty(STDOUT_FILENO) == 1;
  for (;;) {
    if (redraw) {
      out << "\033[H\033[2J";
    }
    if (auto shown = show_once(settings, out); !shown || settings.watch <= 0 || !out) {
      return shown;
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(settings.watch));
  }
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
    if (const auto shown = show(*settings, out); !shown) {
      err << "dmmap sound status: " << shown.error().message << std::endl;
      status = kFailed;
    }
  });
  add_change(sound, "volume", "Set a level of a running server", Kind::volume, err, status);
  add_change(sound, "mute", "Mute a stream, or all", Kind::mute, err, status);
  add_change(sound, "unmute", "Undo mute", Kind::unmute, err, status);
}

}  // namespace dmmap::cli
