// What store_client writes, so that store_kill_test and store_power_test can tell what they find.
//
// It says so in a file, a line for each version of a thing, after the call that did it has returned:
//   file NAME VERSION     promised: fNAME was synced, and renamed to that
//   page PAGE VERSION     promised: msync(2) with MS_SYNC of that page of `mapped`
//   stored PAGE VERSION   not promised: stored to that page
//   made 0 VERSION        not promised: the time of `times` was set, in seconds
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace dmmap::testing {

inline constexpr unsigned kPromisedNames = 20;
inline constexpr unsigned kPromisedPages = 64;
inline constexpr std::size_t kPromisedPage = 4096;
inline constexpr std::size_t kVersionInPage = 64;  // the offset

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

/// The last version of each thing in such a file: what and which.
using Versions = std::map<std::pair<std::string, std::uint64_t>, std::uint64_t>;

/// A line that isn't whole counts for nothing.
[[nodiscard]] Versions read_versions(const std::filesystem::path& file);

/// Things whose last version isn't there, though their calls had returned.
struct Lost {
  unsigned stored = 0;  ///< pages that were in the kernel's memory only
  unsigned made = 0;    ///< 1 when the server was asked for it, and answered

  Lost& operator+=(const Lost& other) {
    stored += other.stored;
    made += other.made;
    return *this;
  }
};

/// Test failures for what was promised and isn't in `folder`. Returns what is lost of the rest.
Lost expect_kept(const std::filesystem::path& folder, const Versions& versions);

}  // namespace dmmap::testing
