#include "cli/camera_status_command.h"

#include <dmmap/error.h>

#include <fmt/format.h>

#include <cerrno>
#include <memory>
#include <ostream>
#include <string>

#include "cli/daemon_options.h"
#include "cli/served_file.h"
#include "cli/watch_option.h"
#include "servers/camera/control/status_json.h"

namespace dmmap::cli {

namespace {

constexpr const char* kCommand = "dmmap camera";

struct Settings {
  std::string mountpoint;
  bool json = false;
  double watch = 0;  // seconds; 0: once
};

void print(std::ostream& out, const camera::CameraStatus& status) {
  for (const camera::DeviceStatus& each : status.devices) {
    out << fmt::format("{} ({}): {}x{} at {:.4g} fps, {}; {} pictures, {} left out\n", each.device,
                       printable(each.card), each.width, each.height, each.rate,
                       each.running ? "running" : "nobody looks", each.pictures, each.left_out);
  }
  out << fmt::format("{:>6}  {:<22} {:<8} {:<9} {:<5} {:<6} {:>9} {:>6} {:>7} {:>9} {:>8} {:>9} {:>9}\n", "stream",
                     "program", "device", "state", "path", "format", "size", "fps", "buffers", "pictures", "dropped",
                     "mean ms", "most ms");
  for (const camera::StreamStatus& each : status.streams) {
    out << fmt::format("{:>6}  {:<22} {:<8} {:<9} {:<5} {:<6} {:>9} {:>6.4g} {:>7} {:>9} {:>8} {:>9.3f} {:>9.3f}\n",
                       each.number, fmt::format("{}[{}]", printable(each.program), each.pid), each.device, each.state,
                       each.path, each.format, fmt::format("{}x{}", each.width, each.height), each.rate, each.buffers,
                       each.counts.pictures, each.counts.dropped, each.counts.latency_mean, each.counts.latency_most);
  }
}

Result<void> show(const Settings& settings, std::ostream& out) {
  const std::string path = settings.mountpoint + "/status";
  const auto text = read_served(path, kCommand);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto status = camera::status_of(*text);
  if (!status) {
    return fail(EPROTO, fmt::format("{} isn't a camera server's: name the directory that `{}` was started with", path,
                                    kCommand));
  }
  if (settings.json) {
    out << *text;
  } else {
    print(out, *status);
  }
  return {};
}

}  // namespace

void add_camera_status_command(CLI::App& camera, std::ostream& out, std::ostream& err, int& status) {
  CLI::App* command = camera.add_subcommand("status", "Show who captures from a running server");
  const auto settings = std::make_shared<Settings>();
  command->add_option("mountpoint", settings->mountpoint, "the server's directory")->required();
  command->add_flag("--json", settings->json, "as JSON, a line each time");
  add_watch_option(*command, settings->watch, "again and again, every so many seconds; alone: every second");
  command->callback([&out, &err, &status, settings] {
    const auto shown = show_again(settings->watch, !settings->json, out, [&] { return show(*settings, out); });
    if (!shown) {
      err << "dmmap camera status: " << shown.error().message << std::endl;
      status = kFailed;
    }
  });
}

}  // namespace dmmap::cli
