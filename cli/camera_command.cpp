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
#include "cli/tier_option.h"
#include "servers/camera/device/camera_filesystem.h"
#include "servers/camera/device/cards.h"

namespace dmmap::cli {

namespace {

constexpr const char* kName = "dmmap camera";
constexpr unsigned kMostRate = 1000;      // frames a second
constexpr std::size_t kMostDevices = 64;  // as many as there are numbers for
constexpr std::size_t kMostName = 31;     // bytes; struct v4l2_capability has 32

struct Settings {
  std::string mountpoint;
  std::vector<std::string> sources;
  std::string size;
  std::string rate;
  std::string name = "dmmap camera";
  std::string buffers = "auto";
  std::string tier = "auto";
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

// A number from 1 to `most`.
std::optional<unsigned> number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end && value >= 1 && value <= most ? std::optional(value)
                                                                                      : std::nullopt;
}

// "640x480"
Result<std::optional<camera::Size>> parse_size(const std::string& text) {
  if (text.empty()) {
    return std::optional<camera::Size>();
  }
  const std::size_t by = text.find('x');
  const auto width = number(std::string_view(text).substr(0, by), camera::kMostSide);
  const auto height =
      by == std::string::npos ? std::nullopt : number(std::string_view(text).substr(by + 1), camera::kMostSide);
  if (!width || !height || *width < camera::kLeastSide || *height < camera::kLeastSide) {
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
                                              kMostRate, text));
  constexpr unsigned kThousand = 1000;
  const std::string_view all(text);
  if (const std::size_t slash = all.find('/'); slash != std::string_view::npos) {
    const auto numerator = number(all.substr(0, slash), kMostRate * kThousand);
    const auto denominator = number(all.substr(slash + 1), kThousand * kThousand);
    if (!numerator || !denominator || *numerator > std::uint64_t{kMostRate} * *denominator) {
      return wrong;
    }
    return std::optional(camera::Rate{*numerator, *denominator});
  }
  double value = 0;
  const auto parsed = std::from_chars(all.data(), all.data() + all.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != all.data() + all.size() || !(value * kThousand >= 1) ||
      value > kMostRate) {
    return wrong;
  }
  const auto thousandths = static_cast<unsigned>(std::lround(value * kThousand));
  return std::optional(thousandths % kThousand == 0 ? camera::Rate{thousandths / kThousand, 1}
                                                    : camera::Rate{thousandths, kThousand});
}

// What all of it is checked to be before anything is mounted or a process detached.
struct Checked {
  std::vector<camera::CardWish> cards;
  device::MapWish buffers = device::MapWish::automatic;
  std::optional<Tier> tier;
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
  const auto buffers = device::parse_map_wish(camera::kBufferWords, settings.buffers);
  if (!buffers) {
    return tl::unexpected(buffers.error());
  }
  checked.buffers = *buffers;
  const auto tier = parse_tier(settings.tier);
  if (!tier) {
    return tl::unexpected(tier.error());
  }
  checked.tier = *tier;
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
  camera::CameraFilesystem filesystem((*cards)->all(), checked.buffers, checked.output.log);
  SessionOptions options;
  options.mount.mountpoint = settings.mountpoint;
  options.mount.source = "dmmap-camera";
  options.mount.allow_other = settings.daemon.allow_other();
  if (checked.buffers != device::MapWish::shared) {
    options.direct_io_allow_mmap = true;
    options.explicit_inval_data = true;  // or each look into a paged buffer would ask the server how old it is
  }
  options.tier = checked.tier;
  options.log = checked.output.log;
  options.trace = checked.output.trace;
  auto session = Session::mount(filesystem, std::move(options));
  if (!session) {
    return tl::unexpected(session.error());
  }
  const auto& buffers = filesystem.buffers();
  if (!buffers) {
    return tl::unexpected(buffers.error());
  }
  const bool any = buffers->kind != device::MapKind::none;
  const std::string have = describe(camera::kBufferWords, *buffers);
  checked.output.log(any ? LogLevel::info : LogLevel::warning,
                     any ? have : fmt::format("{}. To have it: {}", have, buffers->remedy));
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
  command
      ->add_option("--buffers", settings->buffers,
                   "what programs map: shared (memory; needs root and Linux 6.9), paged (needs Linux 6.6), or auto")
      ->capture_default_str();
  command
      ->add_option("--tier", settings->tier,
                   "when programs are granted buffers: open (at open alone), preload (at each mmap of programs that "
                   "'dmmap run' started, and at no other time), kernel, or auto: wherever they ask")
      ->capture_default_str();
  add_daemon_options(*command, settings->daemon);
  command->footer(kFooter);
  command->callback([&out, &err, &status, settings, command] {
    if (command->get_subcommands().empty()) {
      status = run_camera(*settings, out, err);
    }
  });
}

}  // namespace dmmap::cli
