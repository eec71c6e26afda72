#include "support/requirement.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace dmmap::testing {
namespace {

bool has_sys_admin() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) {
      const unsigned long long effective = std::strtoull(line.c_str() + std::strlen("CapEff:"), nullptr, 16);
      return ((effective >> CAP_SYS_ADMIN) & 1U) != 0;
    }
  }
  return false;
}

// The initial user namespace maps all ids to themselves; no other can.
bool in_initial_user_namespace() {
  std::ifstream map("/proc/self/uid_map");
  unsigned long inside = 1;
  unsigned long outside = 1;
  unsigned long count = 0;
  map >> inside >> outside >> count;
  return inside == 0 && outside == 0 && count == 4294967295UL;
}

}  // namespace

namespace needs {

std::string root() {
  return ::geteuid() == 0 ? "" : "this test has to run as root";
}

std::string fuse_device() {
  const int fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return std::string("/dev/fuse can't be opened: ") + std::strerror(errno);
  }
  ::close(fd);
  return "";
}

std::string mounting() {
  if (std::string missing = root(); !missing.empty()) {
    return missing;
  }
  if (std::string missing = fuse_device(); !missing.empty()) {
    return missing;
  }
  return has_sys_admin() ? "" : "root lacks CAP_SYS_ADMIN here, as in most containers";
}

std::string passthrough() {
  if (std::string missing = mounting(); !missing.empty()) {
    return missing;
  }
  if (!in_initial_user_namespace()) {
    return "FUSE passthrough needs the initial user namespace, and this isn't it";
  }
  const std::string missing = kernel(6, 9);
  return missing.empty() ? "" : "FUSE passthrough: " + missing;
}

std::string program(std::string_view name) {
  if (name.find('/') != std::string_view::npos) {
    return ::access(std::string(name).c_str(), X_OK) == 0 ? "" : "there's no " + std::string(name);
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + std::string(name)).c_str(), X_OK) == 0) {
      return "";
    }
  }
  return "there's no " + std::string(name) + " in PATH; scripts/install-packages brings it";
}

std::string kernel(int major, int minor) {
  utsname name{};
  int have_major = 0;
  int have_minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &have_major, &have_minor) != 2) {
    return "the kernel doesn't say its version";
  }
  if (have_major > major || (have_major == major && have_minor >= minor)) {
    return "";
  }
  return "Linux " + std::to_string(major) + "." + std::to_string(minor) + " is needed, and this is " + name.release;
}

}  // namespace needs

bool all_required() {
  const char* value = std::getenv("DMMAP_REQUIRE_ALL");
  return value != nullptr && *value != '\0' && std::strcmp(value, "0") != 0;
}

}  // namespace dmmap::testing
