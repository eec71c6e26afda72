#include "cli/camera_command.h"

#include <dmmap/session.h>

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/camera_status_command.h"
#include "cli/daemon_options.h"
#include "cli/device_options.h"
#include "cli/number.h"
#include "servers/camera/device/camera_filesystem.h"
#include "servers/camera/device/cards.h"
#include "servers/camera/sources/rates.h"

namespace dmmap::cli {

namespace {

constexpr const char* kName = "dmmap camera";
constexpr std::size_t kMostDevices = 64;  // as many as there are numbers for
constexpr std::size_t kMostName = 31;     // bytes; struct v4l2_capability has 32

struct Settings {
  std::string mountpoint;
  std::vector<std::string> sources;
  std::string size;
  std::string rate;
  std::string name = "dmmap camera";
  MapOptions map;
  DaemonOptions daemon;
};

constexpr const char* kFooter = R"(Sources:
  pattern           a test pattern (default)
  file:PATH         a picture, or a video, again and again
  y4m:PATH          YUV4MPEG2 from a FIFO, a file, or - for standard input
  raw:FORMAT:PATH   pictures one after the other, of --size, in YUYV, UYVY, NV12, YU12, RGB24, BGR24 or GREY
  device            what another program puts into video0 itself, as with v4l2loopback

A program that insists on /dev/video0 finds it by a symbolic link; one that insists on a character device, when it's
started by `dmmap run`.)";

// "640x480"
Result<std::optional<camera::Size>> parse_size(const std::string& text) {
  if (text.empty()) {
    return std::optional<camera::Size>();
  }
  const std::size_t by = text.find('x');
  const std::string_view all(text);
  const auto side = [](std::string_view each) { return parse_number(each, camera::kLeastSide, camera::kMostSide); };
  const auto width = side(all.substr(0, by));
  const auto height = by == std::string::npos ? std::nullopt : side(all.substr(by + 1));
  if (!width || !height) {
    return fail(EINVAL, fmt::format("--size has to be WIDTHxHEIGHT, each {} to {} pixels, as 1280x720, not '{}'",
                                    camera::kLeastSide, camera::kMostSide, text));
  }
  return std::optional(camera::Size{*width, *height});
}

// "30", "30000/1001" or "29.97"
Result<std::optional<camera::Rate>> parse_rate(const std::string& text) {
  if (text.empty()) {
    return std::optional<camera::Rate>();
  }
  const auto wrong = fail(EINVAL, fmt::format("--fps has to be frames a second, up to {}, as 30, 29.97 or 30000/1001, "
                                              "not '{}'",
                                              camera::kMostRate, text));
  constexpr unsigned kThousand = 1000;
  const std::string_view all(text);
  if (const std::size_t slash = all.find('/'); slash != std::string_view::npos) {
    const auto numerator = parse_number(all.substr(0, slash), 1, camera::kMostRate * kThousand);
    const auto denominator = parse_number(all.substr(slash + 1), 1, kThousand * kThousand);
    if (!numerator || !denominator || *numerator > std::uint64_t{camera::kMostRate} * *denominator) {
      return wrong;
    }
    return std::optional(camera::Rate{*numerator, *denominator});
  }
  double value = 0;
  const auto parsed = std::from_chars(all.data(), all.data() + all.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != all.data() + all.size() || !(value * kThousand >= 1) ||
      value > camera::kMostRate) {
    return wrong;
  }
  const auto thousandths = static_cast<unsigned>(std::lround(value * kThousand));
  return std::optional(thousandths % kThousand == 0 ? camera::Rate{thousandths / kThousand, 1}
                                                    : camera::Rate{thousandths, kThousand});
}

// What all of it is checked to be before anything is mounted or a process detached.
struct Checked {
  std::vector<camera::CardWish> cards;
  MapWishes map;
  DaemonOutput output;
};

Result<std::vector<camera::CardWish>> check_cards(const Settings& settings) {
  const auto size = parse_size(settings.size);
  if (!size) {
    return tl::unexpected(size.error());
  }
  const auto rate = parse_rate(settings.rate);
  if (!rate) {
    return tl::unexpected(rate.error());
  }
  if (settings.name.empty() || settings.name.size() > kMostName) {
    return fail(EINVAL, fmt::format("--name has to be 1 to {} bytes", kMostName));
  }
  const std::vector<std::string> sources =
      settings.sources.empty() ? std::vector<std::string>{"pattern"} : settings.sources;
  if (sources.size() > kMostDevices) {
    return fail(EINVAL, fmt::format("at most {} sources", kMostDevices));
  }
  std::vector<camera::CardWish> cards;
  for (const std::string& each : sources) {
    auto source = camera::parse_source(each);
    if (!source) {
      return tl::unexpected(source.error());
    }
    cards.push_back({std::move(*source), *size, *rate, settings.name});
  }
  return cards;
}

Result<Checked> check(const Settings& settings, std::ostream& err) {
  Checked checked;
  auto cards = check_cards(settings);
  if (!cards) {
    return tl::unexpected(cards.error());
  }
  checked.cards = std::move(*cards);
  const auto map = cli::check(camera::kBufferWords, settings.map);
  if (!map) {
    return tl::unexpected(map.error());
  }
  checked.map = *map;
  auto output = open_output(kName, settings.daemon, err);
  if (!output) {
    return tl::unexpected(output.error());
  }
  checked.output = std::move(*output);
  return checked;
}

// Serves until it's told to end.
Result<void> serve(const Settings& settings, const Checked& checked, daemon::Readiness& readiness) {
  const auto cards = camera::Cards::make(checked.cards, checked.output.log);
  if (!cards) {
    return tl::unexpected(cards.error());
  }
  camera::CameraFilesystem filesystem((*cards)->all(), checked.map.kind, checked.output.log);
  SessionOptions options = session_options("dmmap-camera", checked.map, settings.daemon, checked.output);
  options.mount.mountpoint = settings.mountpoint;
  auto session = Session::mount(filesystem, std::move(options));
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto chosen = log_choice(camera::kBufferWords, filesystem.buffers(), checked.output.log); !chosen) {
    return chosen;
  }
  (*cards)->start();
  auto ended = session->wait_or_signal({}, [&] {
    readiness.ready(fmt::format(
        "{}: ready at {} ({} to capture from)", kName, session->mountpoint(),
        (*cards)->all().size() == 1 ? "video0" : fmt::format("video0 to video{}", (*cards)->all().size() - 1)));
  });
  daemon::Readiness::stopping();
  (*cards)->stop();
  return ended;
}

int run_camera(const Settings& settings, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const std::string& message) { err << kName << ": " << message << std::endl; };
  if (settings.mountpoint.empty()) {
    complain("mountpoint is required: name an existing directory, as in `dmmap camera /run/dmmap-camera`");
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

void add_camera_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status) {
  CLI::App* command =
      app.add_subcommand("camera", "Serve MOUNTPOINT/video0, a camera that programs capture from by V4L2");
  const auto settings = std::make_shared<Settings>();
  // Not needed by the commands about a running server.
  command->add_option("mountpoint", settings->mountpoint, "an existing directory");
  add_camera_status_command(*command, out, err, status);
  command
      ->add_option("--source", settings->sources,
                   "where the pictures come from: pattern, file:PATH, y4m:PATH, raw:FORMAT:PATH or device; once for "
                   "each camera, of which there may be several")
      ->default_str("pattern")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--size", settings->size,
                      "WIDTHxHEIGHT that programs are offered; by default the source's own, 1280x720 for a pattern");
  command->add_option("--fps", settings->rate,
                      "frames a second that programs are offered; by default the source's own, 30 for a pattern");
  command->add_option("--name", settings->name, "what programs are told that the card is")->capture_default_str();
  add_map_options(*command, camera::kBufferWords, "buffers", settings->map);
  add_daemon_options(*command, settings->daemon);
  command->footer(kFooter);
  command->callback([&out, &err, &status, settings, command] {
    if (command->get_subcommands().empty()) {
      status = run_camera(*settings, out, err);
    }
  });
}

}  // namespace dmmap::cli
