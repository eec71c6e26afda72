// FileId: which file, in all tables.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "servers/store/kv/numbers.h"

namespace dmmap::store {

/// Names a file, and its list of pages. Whoever makes files chooses it.
struct FileId {
  std::uint64_t value = 0;
  auto operator<=>(const FileId&) const = default;
};

/// What the keys of the file's entries are, or begin with.
[[nodiscard]] inline std::string key_of(FileId file) {
  return encode({file.value});
}

}  // namespace dmmap::store
