#include "servers/device/map_choice.h"

#include <dmmap/memory_pages.h>
#include <dmmap/paged_region.h>

#include <fmt/format.h>

#include <cerrno>

namespace dmmap::device {

namespace {

constexpr const char* kForShared = "run it as root, outside of containers, on Linux 6.9 or newer";
constexpr const char* kForPaged = "use Linux 6.6 or newer";

// "passthrough: this kernel doesn't offer it"
std::string lacks(const Capabilities& capabilities, Feature feature) {
  return fmt::format("{}: {}", feature_name(feature), capabilities.why_not(feature));
}

}  // namespace

Result<MapWish> parse_map_wish(const MapWords& words, const std::string& text) {
  if (text == "auto") {
    return MapWish::automatic;
  }
  if (text == "shared") {
    return MapWish::shared;
  }
  if (text == "paged") {
    return MapWish::paged;
  }
  return fail(EINVAL, fmt::format("{} has to be auto, shared or paged, not '{}'", words.option, text));
}

Result<MapChoice> choose_map(const MapWords& words, MapWish wish, const Capabilities& capabilities) {
  if (wish != MapWish::paged && capabilities.has(Feature::passthrough)) {
    return MapChoice{MapKind::shared, {}, {}};
  }
  const std::string no_shared = lacks(capabilities, Feature::passthrough);
  if (wish == MapWish::shared) {
    return fail(ENOTSUP, fmt::format("{0}=shared can't be had here: {1}. For it, {2}; or say {0}=auto", words.option,
                                     no_shared, kForShared));
  }
  if (capabilities.has(Feature::direct_io_allow_mmap)) {
    return wish == MapWish::paged ? MapChoice{MapKind::paged, fmt::format("{}=paged asks for it", words.option),
                                              fmt::format("say {}=auto", words.option)}
                                  : MapChoice{MapKind::paged, no_shared, kForShared};
  }
  const std::string no_paged = lacks(capabilities, Feature::direct_io_allow_mmap);
  if (wish == MapWish::paged) {
    return fail(ENOTSUP, fmt::format("{0}=paged can't be had here: {1}. For it, {2}; or say {0}=auto", words.option,
                                     no_paged, kForPaged));
  }
  return MapChoice{MapKind::none, no_shared + "; " + no_paged,
                   fmt::format("{} for paged {}; {} for shared memory", kForPaged, words.plural, kForShared)};
}

std::string describe(const MapWords& words, const MapChoice& choice) {
  switch (choice.kind) {
    case MapKind::shared:
      return fmt::format("{} are shared memory", words.plural);
    case MapKind::paged:
      return fmt::format("{} are paged: {}", words.plural, choice.because);
    case MapKind::none:
      break;
  }
  return fmt::format("{}: {}", words.without, choice.because);
}

Result<std::shared_ptr<Region>> make_region(MapKind kind, const SharedRegionOptions& options) {
  if (kind == MapKind::shared) {
    return SharedRegion::create(options);
  }
  if (kind == MapKind::paged) {
    auto pages = MemoryPages::create(options.size);
    if (!pages) {
      return tl::unexpected(pages.error());
    }
    return PagedRegion::create({.id = options.id, .size = options.size, .name = options.name}, std::move(*pages));
  }
  return std::shared_ptr<Region>();
}

}  // namespace dmmap::device
