// `dmmap store`, killed at any moment: what was promised is there, and the store is sound.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "programs/store_promises.h"
#include "programs/store_server.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

using Versions = std::map<std::pair<std::string, std::uint64_t>, std::uint64_t>;

// The last version of each thing. A line that isn't whole is no promise.
Versions read_promises(const std::filesystem::path& file) {
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

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::uint64_t version_at(const std::string& bytes, std::size_t offset) {
  std::uint64_t version = 0;
  if (bytes.size() >= offset + sizeof version) {
    std::memcpy(&version, bytes.data() + offset, sizeof version);
  }
  return version;
}

void expect_kept(const StoreServer& server, const Versions& promised) {
  const std::string mapped = read_file(server.mountpoint() / "mapped");
  for (const auto& [what, version] : promised) {
    const auto& [kind, which] = what;
    if (kind == "page") {
      EXPECT_GE(version_at(mapped, which * kPromisedPage + 64), version) << "page " << which;
      continue;
    }
    const std::string content = read_file(server.mountpoint() / fmt::format("f{}", which));
    const std::uint64_t found = version_at(content, 0);
    EXPECT_GE(found, version) << "file " << which;
    EXPECT_TRUE(content == promised_content(which, found))
        << "file " << which << " isn't what version " << found << " was";
  }
}

unsigned kills() {
  const char* const wished = std::getenv("DMMAP_KILLS");
  return wished != nullptr ? static_cast<unsigned>(std::strtoul(wished, nullptr, 10)) : 12;
}

TEST(StoreKill, KeepsWhatWasPromisedAndStaysSound) {
  DMMAP_NEEDS(needs::mounting());
  constexpr std::uint64_t kVersionsEach = 1000000;
  constexpr std::chrono::seconds kClientsEnd{20};
  StoreServer server;
  ASSERT_TRUE(server.ready());
  const std::filesystem::path promises = server.directory() / "promises";
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (unsigned round = 1; round <= kills() && !::testing::Test::HasFailure(); ++round) {
    Process client({DMMAP_STORE_CLIENT, server.mountpoint(), promises, std::to_string(round * kVersionsEach)});
    // Before that it would find the folder that was mounted on.
    ASSERT_TRUE(client.wait_for_output("begun", kClientsEnd)) << client.err();
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    ASSERT_TRUE(client.running()) << client.err();
    server.kill();
    const Ended ended = client.wait(kClientsEnd);
    EXPECT_FALSE(ended.timed_out) << "a client hangs";
    EXPECT_TRUE(ended.status == 0 || ended.status == 128 + SIGBUS) << ended.status << ": " << client.err();
    server.check();
    server.start();
    ASSERT_TRUE(server.ready());
    expect_kept(server, read_promises(promises));
  }
  EXPECT_FALSE(read_promises(promises).empty()) << "the clients got nowhere";
  server.end_and_check();
}

}  // namespace
}  // namespace dmmap::testing
