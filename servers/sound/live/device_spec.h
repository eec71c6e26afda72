// How users name what sound goes to and comes from: "kind" or "kind:name".
//
// Thread safety: from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dmmap::sound {

/// The name in `spec` if that is "KIND:NAME"; `otherwise` if it's KIND alone; else nothing.
[[nodiscard]] inline std::optional<std::string> name_in(std::string_view spec, std::string_view kind,
                                                        const std::optional<std::string>& otherwise = {}) {
  if (spec == kind) {
    return otherwise;
  }
  if (spec.size() > kind.size() + 1 && spec.starts_with(kind) && spec[kind.size()] == ':') {
    return std::string(spec.substr(kind.size() + 1));
  }
  return std::nullopt;
}

}  // namespace dmmap::sound
