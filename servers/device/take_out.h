// take_out: one of those that wait, by its number.
//
// Thread safety: as the container's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace dmmap::device {

/// Takes the one with `id` out of `waiting`, if it's there.
template <class Container>
[[nodiscard]] std::optional<typename Container::value_type> take_out(Container& waiting, std::uint64_t id) {
  const auto found = std::find_if(waiting.begin(), waiting.end(), [id](const auto& each) { return each.id == id; });
  if (found == waiting.end()) {
    return std::nullopt;
  }
  std::optional<typename Container::value_type> taken(std::move(*found));
  waiting.erase(found);
  return taken;
}

}  // namespace dmmap::device
