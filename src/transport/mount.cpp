#include "transport/mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "transport/helper_mount.h"
#include "transport/mount_table.h"

namespace dmmap::transport {

namespace {

constexpr const char* kDevice = "/dev/fuse";
constexpr const char* kConnections = "/sys/fs/fuse/connections";

Result<void> refuse_mounted(const std::string& path) {
  const auto there = find_mount(path);
  if (there && is_fuse(there->type)) {
    return fail(EBUSY, fmt::format("{0} is a mount point of {1} already, of a server that runs or of one that died: "
                                   "choose another directory, or end that server, or 'umount -l {0}'",
                                   path, there->type));
  }
  return {};
}

// The directory's absolute path without symbolic links. Opens it O_PATH, which asks a file system mounted there
// nothing.
Result<std::string> canonical_directory(const std::string& given) {
  if (given.empty()) {
    return fail(EINVAL, "no mount point given: name an existing directory");
  }
  std::error_code ignored;
  const std::filesystem::path lexical = std::filesystem::absolute(given, ignored).lexically_normal();
  std::string plain = lexical.string();
  while (plain.size() > 1 && plain.back() == '/') {
    plain.pop_back();
  }
  // A dead server's mount fails even a path's resolution on some kernels, so look before touching.
  if (auto free = refuse_mounted(plain); !free) {
    return tl::unexpected(free.error());
  }
  const UniqueFd directory(::open(given.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    switch (errno) {
      case ENOENT:
        return fail(ENOENT, fmt::format("mount point {0} does not exist: 'mkdir -p {0}' first", given));
      case ENOTDIR:
        return fail(ENOTDIR, fmt::format("mount point {} is not a directory: name an existing directory", given));
      case ENOTCONN:
        return fail(EBUSY, fmt::format("{0} is the mount of a server that died: 'umount -l {0}' first", given));
      default:
        return fail_errno(errno, fmt::format("mount point {}", given));
    }
  }
  const std::unique_ptr<char, decltype(&std::free)> resolved(
      ::realpath(fmt::format("/proc/self/fd/{}", directory.get()).c_str(), nullptr), &std::free);
  if (!resolved) {
    return fail_errno(errno, fmt::format("mount point {}", given));
  }
  std::string path(resolved.get());
  if (auto free = refuse_mounted(path); !free) {
    return tl::unexpected(free.error());
  }
  return path;
}

Result<UniqueFd> mount_directly(const MountOptions& options, const std::string& mountpoint) {
  UniqueFd device(::open(kDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!device) {
    return fail(errno == ENOENT ? ENODEV : errno,
                fmt::format("{}: {}: the kernel needs FUSE ('modprobe fuse'; in a container, hand the device in: "
                            "--device /dev/fuse)",
                            kDevice, std::strerror(errno)));
  }
  struct stat status {};
  if (::stat(mountpoint.c_str(), &status) != 0) {
    return fail_errno(errno, fmt::format("mount point {}", mountpoint));
  }
  const std::string data = fmt::format(
      "fd={},rootmode={:o},user_id={},group_id={}{}{}", device.get(), status.st_mode & S_IFMT, ::geteuid(), ::getegid(),
      options.allow_other ? ",allow_other" : "", options.default_permissions ? ",default_permissions" : "");
  const std::string type = "fuse." + options.subtype;
  const unsigned long flags = MS_NOSUID | MS_NODEV | (options.read_only ? static_cast<unsigned long>(MS_RDONLY) : 0UL);
  if (::mount(options.source.c_str(), mountpoint.c_str(), type.c_str(), flags, data.c_str()) != 0) {
    return fail_errno(errno, fmt::format("mounting {} at {}", type, mountpoint));
  }
  return device;
}

}  // namespace

Result<Mounted> mount(const MountOptions& options) {
  auto mountpoint = canonical_directory(options.mountpoint);
  if (!mountpoint) {
    return tl::unexpected(mountpoint.error());
  }
  Mounted mounted;
  mounted.mountpoint = *mountpoint;
  Result<UniqueFd> device = fail(EPERM, "");
  if (::geteuid() == 0) {
    device = mount_directly(options, *mountpoint);
  }
  // Root without CAP_SYS_ADMIN, as in most containers, is a user like any other.
  if (!device && device.error().code == EPERM) {
    if (::access(kDevice, F_OK) != 0) {
      return fail(ENODEV, fmt::format("{} does not exist: the kernel needs FUSE ('modprobe fuse')", kDevice));
    }
    device = mount_by_helper(options, *mountpoint);
    mounted.by_helper = true;
  }
  if (!device) {
    return tl::unexpected(device.error());
  }
  mounted.device = std::move(*device);
  const int flags = ::fcntl(mounted.device.get(), F_GETFL);
  ::fcntl(mounted.device.get(), F_SETFL, flags | O_NONBLOCK);
  ::fcntl(mounted.device.get(), F_SETFD, FD_CLOEXEC);
  const auto entry = find_mount(*mountpoint);
  if (!entry || !is_fuse(entry->type)) {
    return fail(ENOENT, fmt::format("{} was unmounted while it was being mounted", *mountpoint));
  }
  mounted.connection = entry->minor;
  return mounted;
}

Result<void> unmount(const std::string& mountpoint, std::uint32_t connection, bool by_helper) {
  const auto entry = find_mount(mountpoint);
  if (!entry || !is_fuse(entry->type) || entry->minor != connection) {
    return {};
  }
  if (by_helper) {
    return unmount_by_helper(mountpoint);
  }
  if (::umount2(mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL) {
    return fail_errno(errno, fmt::format("unmounting {}", mountpoint));
  }
  return {};
}

bool abort_connection(std::uint32_t connection) noexcept {
  // No formatting library here: the watcher calls this between fork and exit.
  char path[64];    // NOLINT(modernize-avoid-c-arrays)
  char digits[16];  // NOLINT(modernize-avoid-c-arrays)
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + connection % 10);
    connection /= 10;
  } while (connection != 0);
  std::size_t end = std::strlen(kConnections);
  std::memcpy(path, kConnections, end);  // NOLINT(bugprone-not-null-terminated-result): more follows
  path[end++] = '/';
  while (count > 0) {
    path[end++] = digits[--count];
  }
  std::memcpy(path + end, "/abort", sizeof "/abort");

  int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 && ::access("/sys/fs/fuse/connections/.", F_OK) == 0 &&
      ::mount("fusectl", kConnections, "fusectl", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0) {
    fd = ::open(path, O_WRONLY | O_CLOEXEC);
  }
  if (fd < 0) {
    return false;
  }
  const bool aborted = ::write(fd, "1", 1) == 1;
  ::close(fd);
  return aborted;
}

}  // namespace dmmap::transport
