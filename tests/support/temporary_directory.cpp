#include "support/temporary_directory.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include "support/mounts.h"

namespace dmmap::testing {

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  std::string name = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/dmmap-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + name);
  }
  // As mountinfo will name it: without symbolic links. realpath can only fail here when the folder is gone already.
  std::error_code error;
  path_ = std::filesystem::canonical(name, error);
  if (error) {
    path_ = name;
  }
}

TemporaryDirectory::~TemporaryDirectory() {
  unmount_below(path_);
  if (!mounts_below(path_).empty()) {
    std::fprintf(stderr, "%s is left behind: something is still mounted there\n", path_.c_str());
    return;
  }
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) {
    std::fprintf(stderr, "%s is left behind: %s\n", path_.c_str(), error.message().c_str());
  }
}

}  // namespace dmmap::testing
