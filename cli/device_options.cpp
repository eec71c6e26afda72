#include "cli/device_options.h"

#include <fmt/format.h>

#include <cerrno>

namespace dmmap::cli {

namespace {

// Nothing for "auto".
Result<std::optional<Tier>> parse_tier(const std::string& text) {
  for (const Tier tier : {Tier::open, Tier::preload, Tier::kernel}) {
    if (text == tier_name(tier)) {
      return tier;
    }
  }
  return text == "auto" ? Result<std::optional<Tier>>(std::nullopt)
                        : fail(EINVAL, fmt::format("--tier has to be auto, open, preload or kernel, not '{}'", text));
}

}  // namespace

void add_map_options(CLI::App& command, const device::MapWords& words, const std::string& granted,
                     MapOptions& options) {
  command
      .add_option(words.option, options.kind,
                  "what programs map: shared (memory; needs root and Linux 6.9), paged (needs Linux 6.6), or auto")
      ->capture_default_str();
  command
      .add_option("--tier", options.tier,
                  fmt::format("when programs are granted {}: open (at open alone), preload (at each mmap of programs "
                              "that 'dmmap run' started, and at no other time), kernel, or auto: wherever they ask",
                              granted))
      ->capture_default_str();
}

Result<MapWishes> check(const device::MapWords& words, const MapOptions& options) {
  const auto kind = device::parse_map_wish(words, options.kind);
  if (!kind) {
    return tl::unexpected(kind.error());
  }
  const auto tier = parse_tier(options.tier);
  if (!tier) {
    return tl::unexpected(tier.error());
  }
  return MapWishes{*kind, *tier};
}

SessionOptions session_options(const std::string& source, const MapWishes& wishes, const DaemonOptions& daemon,
                               const DaemonOutput& output) {
  SessionOptions options;
  options.mount.source = source;
  options.mount.allow_other = daemon.allow_other();
  if (wishes.kind != device::MapWish::shared) {
    options.direct_io_allow_mmap = true;
    options.explicit_inval_data = true;  // or each look into a paged region would ask the server how old it is
  }
  options.tier = wishes.tier;
  options.log = output.log;
  options.trace = output.trace;
  return options;
}

Result<void> log_choice(const device::MapWords& words, const Result<device::MapChoice>& choice, const LogSink& log) {
  if (!choice) {
    return tl::unexpected(choice.error());
  }
  const bool any = choice->kind != device::MapKind::none;
  const std::string have = describe(words, *choice);
  log(any ? LogLevel::info : LogLevel::warning, any ? have : fmt::format("{}. To have it: {}", have, choice->remedy));
  return {};
}

}  // namespace dmmap::cli
