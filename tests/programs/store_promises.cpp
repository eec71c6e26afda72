#include "programs/store_promises.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "support/files.h"

namespace dmmap::testing {

namespace {

std::uint64_t version_at(const std::string& bytes, std::size_t offset) {
  std::uint64_t version = 0;
  if (bytes.size() >= offset + sizeof version) {
    std::memcpy(&version, bytes.data() + offset, sizeof version);
  }
  return version;
}

std::uint64_t version_of_page(const std::string& mapped, std::uint64_t page) {
  return version_at(mapped, page * kPromisedPage + kVersionInPage);
}

std::uint64_t version_made(const std::filesystem::path& folder) {
  struct stat status {};
  return ::stat((folder / "times").c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_mtime) : 0;
}

void expect_file(const std::filesystem::path& folder, std::uint64_t name, std::uint64_t version) {
  const std::string content = bytes_of(folder / ("f" + std::to_string(name)));
  const std::uint64_t found = version_at(content, 0);
  EXPECT_GE(found, version) << "file " << name;
  EXPECT_TRUE(content == promised_content(name, found)) << "file " << name << " isn't what version " << found << " was";
}

}  // namespace

Versions read_versions(const std::filesystem::path& file) {
  Versions versions;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line) && !in.eof();) {
    std::istringstream words(line);
    std::string what;
    std::uint64_t which = 0;
    std::uint64_t version = 0;
    if (words >> what >> which >> version) {
      versions[{what, which}] = version;
    }
  }
  return versions;
}

Lost expect_kept(const std::filesystem::path& folder, const Versions& versions) {
  Lost lost;
  const std::string mapped = bytes_of(folder / "mapped");
  for (const auto& [thing, version] : versions) {
    const auto& [what, which] = thing;
    if (what == "file") {
      expect_file(folder, which, version);
    } else if (what == "page") {
      EXPECT_GE(version_of_page(mapped, which), version) << "page " << which;
    } else if (what == "stored") {
      lost.stored += version_of_page(mapped, which) < version ? 1U : 0U;
    } else if (what == "made") {
      lost.made += version_made(folder) < version ? 1U : 0U;
    } else {
      ADD_FAILURE() << what << " is nothing that store_client writes";
    }
  }
  return lost;
}

}  // namespace dmmap::testing
