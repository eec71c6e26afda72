#include "preload/mounts.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <ctime>

#include "preload/quiet.h"
#include "preload/system.h"
#include "protocol/map_protocol.h"

namespace dmmap::preload {

namespace {

// One line of mountinfo, field by field.
class Fields {
 public:
  explicit Fields(char* line) : at_(line) {}
  /// The next one, ended by a NUL; "" at the end.
  const char* next() {
    char* const begin = at_;
    while (*at_ != '\0' && *at_ != ' ') {
      ++at_;
    }
    if (*at_ == ' ') {
      *at_++ = '\0';
    }
    return begin;
  }

 private:
  char* at_;
};

bool is_number_of(const char* text, dev_t device) {
  unsigned long parts[2] = {0, 0};  // NOLINT(*-avoid-c-arrays)
  unsigned part = 0;
  for (; *text != '\0'; ++text) {
    if (*text == ':') {
      ++part;
    } else if (part < 2) {
      parts[part] = parts[part] * 10 + static_cast<unsigned long>(*text - '0');
    }
  }
  return parts[0] == major(device) && parts[1] == minor(device);
}

// Blanks and the like are written as three octal digits after a backslash.
void copy_path(const char* from, char* to) {
  char* const end = to + PATH_MAX - 1;
  while (*from != '\0' && to < end) {
    if (from[0] == '\\' && from[1] != '\0' && from[2] != '\0' && from[3] != '\0') {
      *to++ = static_cast<char>((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
      from += 4;
    } else {
      *to++ = *from++;
    }
  }
  *to = '\0';
}

// "36 35 98:0 /root /mount/point rw,noatime shared:1 - type source options"
bool look_at_line(char* line, dev_t device, Path* path) {
  Fields fields(line);
  fields.next();
  fields.next();
  if (!is_number_of(fields.next(), device)) {
    return false;
  }
  const char* const root = fields.next();
  const char* const point = fields.next();
  const char* field = fields.next();
  while (*field != '\0' && std::strcmp(field, "-") != 0) {
    field = fields.next();
  }
  if (!protocol::map::is_mount_type(fields.next())) {
    return false;
  }
  if (path != nullptr && std::strcmp(root, "/") == 0) {
    copy_path(point, path->data());
  }
  return true;
}

// What may_be_ours() has found. A device's number may be another mount's a moment after it was one's, so it's looked up
// again after that moment.
struct Remembered {
  std::atomic<std::uint64_t> device{~std::uint64_t{0}};
  std::atomic<std::int64_t> until{0};  // on CLOCK_MONOTONIC_COARSE, in ns
  std::atomic<bool> ours{false};
};
constexpr std::size_t kRemembered = 16;
constexpr std::int64_t kSecond = 1'000'000'000;
constinit std::array<Remembered, kRemembered> remembered;

// What find_root() has found: the mounts that this process maps files of.
constexpr std::size_t kRoots = 4;
struct Root {
  dev_t device = 0;  // 0: none
  Path path{};
};
struct Roots {
  Lock lock;
  std::array<Root, kRoots> known{};
  std::size_t next = 0;
};
constinit Roots roots;

std::int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

}  // namespace

bool find_mount(dev_t device, Path* root) {
  if (root != nullptr) {
    root->front() = '\0';
  }
  const long fd = system_call(SYS_openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) {
    return false;
  }
  bool found = false;
  std::array<char, PATH_MAX> buffer;  // NOLINT(*-member-init)
  std::size_t used = 0;
  bool skipping = false;  // a line that is too long for the buffer, and so for a path
  while (true) {
    const long got = system_call(SYS_read, fd, buffer.data() + used, buffer.size() - 1 - used);
    if (got <= 0) {
      break;
    }
    used += static_cast<std::size_t>(got);
    buffer[used] = '\0';
    char* line = buffer.data();
    while (char* const end = std::strchr(line, '\n')) {
      *end = '\0';
      if (!skipping) {
        found = look_at_line(line, device, root) || found;
      }
      skipping = false;
      line = end + 1;
    }
    used -= static_cast<std::size_t>(line - buffer.data());
    std::memmove(buffer.data(), line, used);
    if (used == buffer.size() - 1) {
      skipping = true;
      used = 0;
    }
  }
  system_call(SYS_close, fd);
  return found;
}

bool find_root(dev_t device, Path& root) {
  {
    const Quiet quiet(roots.lock);
    for (const Root& each : roots.known) {
      if (each.device == device) {
        std::memcpy(root.data(), each.path.data(), std::strlen(each.path.data()) + 1);
        return true;
      }
    }
  }
  if (!find_mount(device, &root) || root.front() == '\0') {
    return false;
  }
  const Quiet quiet(roots.lock);
  Root& place = roots.known[roots.next++ % kRoots];
  place.device = device;
  place.path = root;
  return true;
}

void forget_root(dev_t device) {
  const Quiet quiet(roots.lock);
  for (Root& each : roots.known) {
    if (each.device == device) {
      each.device = 0;
    }
  }
}

bool may_be_ours(dev_t device) {
  if (major(device) != 0) {
    return false;  // it has a disk
  }
  const std::int64_t time = now();
  Remembered* oldest = remembered.data();
  for (Remembered& each : remembered) {
    if (each.device.load() == device && each.until.load() > time) {
      return each.ours.load();
    }
    if (each.until.load() < oldest->until.load()) {
      oldest = &each;
    }
  }
  const bool ours = find_mount(device, nullptr);
  oldest->device.store(~std::uint64_t{0});
  oldest->ours.store(ours);
  oldest->until.store(time + kSecond);
  oldest->device.store(device);
  return ours;
}

}  // namespace dmmap::preload
