// Addresses and lengths as numbers, in whole pages.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace dmmap::preload {

inline std::uintptr_t number(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address);
}

/// Rounded up.
inline std::size_t whole_pages(std::size_t length) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (length + page - 1) / page * page;
}

}  // namespace dmmap::preload
