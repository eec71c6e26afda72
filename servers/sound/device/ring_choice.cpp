#include "servers/sound/device/ring_choice.h"

#include <fmt/format.h>

#include <cerrno>

namespace dmmap::sound {

namespace {

constexpr const char* kForShared = "run it as root, outside of containers, on Linux 6.9 or newer";
constexpr const char* kForPaged = "use Linux 6.6 or newer";

// "passthrough: this kernel doesn't offer it"
std::string lacks(const Capabilities& capabilities, Feature feature) {
  return fmt::format("{}: {}", feature_name(feature), capabilities.why_not(feature));
}

}  // namespace

Result<RingWish> parse_ring_wish(const std::string& text) {
  if (text == "auto") {
    return RingWish::automatic;
  }
  if (text == "shared") {
    return RingWish::shared;
  }
  if (text == "paged") {
    return RingWish::paged;
  }
  return fail(EINVAL, fmt::format("--ring has to be auto, shared or paged, not '{}'", text));
}

Result<RingChoice> choose_rings(RingWish wish, const Capabilities& capabilities) {
  if (wish != RingWish::paged && capabilities.has(Feature::passthrough)) {
    return RingChoice{RingKind::shared, {}, {}};
  }
  const std::string no_shared = lacks(capabilities, Feature::passthrough);
  if (wish == RingWish::shared) {
    return fail(ENOTSUP, fmt::format("--ring=shared can't be had here: {}. For it, {}; or say --ring=auto", no_shared,
                                     kForShared));
  }
  if (capabilities.has(Feature::direct_io_allow_mmap)) {
    return wish == RingWish::paged ? RingChoice{RingKind::paged, "--ring=paged asks for it", "say --ring=auto"}
                                   : RingChoice{RingKind::paged, no_shared, kForShared};
  }
  const std::string no_paged = lacks(capabilities, Feature::direct_io_allow_mmap);
  if (wish == RingWish::paged) {
    return fail(ENOTSUP,
                fmt::format("--ring=paged can't be had here: {}. For it, {}; or say --ring=auto", no_paged, kForPaged));
  }
  return RingChoice{RingKind::none, no_shared + "; " + no_paged,
                    fmt::format("{} for paged rings; {} for shared memory", kForPaged, kForShared)};
}

std::string describe(const RingChoice& choice) {
  switch (choice.kind) {
    case RingKind::shared:
      return "rings are shared memory";
    case RingKind::paged:
      return "rings are paged: " + choice.because;
    case RingKind::none:
      break;
  }
  return "programs can write, but not mmap: " + choice.because;
}

}  // namespace dmmap::sound
