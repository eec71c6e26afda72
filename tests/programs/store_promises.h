// What store_client writes, so that store_kill_test can tell what it finds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace dmmap::testing {

inline constexpr unsigned kPromisedNames = 20;
inline constexpr unsigned kPromisedPages = 64;
inline constexpr std::size_t kPromisedPage = 4096;

/// What file `name` holds in this version, all of it: the version, and bytes that no other version has.
[[nodiscard]] inline std::string promised_content(std::uint64_t name, std::uint64_t version) {
  constexpr std::size_t kMost = 150000;  // bytes
  std::mt19937_64 random(name << 48U | version);
  std::string content(sizeof version + random() % kMost, '\0');
  std::memcpy(content.data(), &version, sizeof version);
  for (std::size_t at = sizeof version; at < content.size(); at += 97) {
    content[at] = static_cast<char>(random());
  }
  return content;
}

}  // namespace dmmap::testing
