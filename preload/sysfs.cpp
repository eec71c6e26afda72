#include "preload/sysfs.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "preload/system.h"

namespace dmmap::preload {

namespace {

constexpr std::uint64_t kBeingWritten = 1;
constexpr std::uint64_t kWritten = std::uint64_t{1} << 63;

struct Shown {
  std::atomic<std::uint64_t> key{0};  // of the number, once the name is there
  std::array<char, 64> name{};
};
// As many as there are minor numbers of cameras and of sound devices' kinds that a program may look at.
constinit std::array<Shown, 128> all_shown;

std::uint64_t key_of(unsigned major, unsigned minor) {
  constexpr unsigned kMinorBits = 32;
  return kWritten | (std::uint64_t{major} << kMinorBits) | minor;
}

const Shown* find(std::uint64_t key) {
  for (const Shown& each : all_shown) {
    if (each.key.load(std::memory_order_acquire) == key) {
      return &each;
    }
  }
  return nullptr;
}

}  // namespace

void remember_device(unsigned major, unsigned minor, const char* name) {
  const std::uint64_t key = key_of(major, minor);
  if (name[0] == '\0' || find(key) != nullptr) {
    return;
  }
  for (Shown& each : all_shown) {
    std::uint64_t none = 0;
    if (each.key.compare_exchange_strong(none, kBeingWritten, std::memory_order_acquire)) {
      std::strncpy(each.name.data(), name, each.name.size() - 1);
      each.key.store(key, std::memory_order_release);
      return;
    }
  }
}

int open_uevent(const char* path) {
  unsigned major = 0;
  unsigned minor = 0;
  int end = 0;
  if (path == nullptr || std::sscanf(path, "/sys/dev/char/%u:%u/uevent%n", &major, &minor, &end) != 2 || end == 0 ||
      path[end] != '\0') {
    return -1;
  }
  const Shown* const shown = find(key_of(major, minor));
  if (shown == nullptr) {
    return -1;
  }
  std::array<char, 128> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", major, minor, shown->name.data());
  const long fd = system_call(SYS_memfd_create, "uevent", MFD_CLOEXEC);
  if (is_error(fd)) {
    return -1;
  }
  // The file position stays at the start.
  system_call(SYS_pwrite64, fd, text.data(), length, 0L);
  return static_cast<int>(fd);
}

}  // namespace dmmap::preload
