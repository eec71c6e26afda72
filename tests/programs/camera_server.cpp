#include "programs/camera_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

namespace dmmap::testing {
namespace {

std::vector<std::string> command(const std::filesystem::path& mountpoint, const CameraServerOptions& options) {
  std::filesystem::create_directory(mountpoint);
  if (options.user) {
    for (const auto& folder : {mountpoint, mountpoint.parent_path()}) {
      EXPECT_EQ(::chown(folder.c_str(), *options.user, *options.user), 0);
    }
  }
  std::vector<std::string> words{"camera", mountpoint};
  words.insert(words.end(), options.words.begin(), options.words.end());
  return words;
}

}  // namespace

CameraServer::CameraServer(const CameraServerOptions& options)
    : daemon_(command(mountpoint(), options), mountpoint(), options.ready,
              {.environment = {}, .directory = {}, .user = options.user, .input = options.input}) {}

std::string CameraServer::status() const {
  constexpr std::chrono::seconds kPatience{20};
  const Outcome shown = run({DMMAP_PROGRAM, "camera", "status", mountpoint(), "--json"}, kPatience);
  EXPECT_EQ(shown.status, 0) << shown.err;
  return shown.out;
}

unsigned CameraServer::left_out() const {
  const std::string all = status();
  const std::string key = R"("left_out":)";
  const std::size_t at = all.find(key);
  EXPECT_NE(at, std::string::npos) << all;
  return at == std::string::npos ? 0 : static_cast<unsigned>(std::stoul(all.substr(at + key.size())));
}

}  // namespace dmmap::testing
