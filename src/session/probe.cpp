#include <dmmap/probe.h>
#include <dmmap/session.h>

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

namespace dmmap {

namespace {

// A mount that nobody will look into.
class NothingInside : public Filesystem {};

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool has_line(const char* path, std::string_view wanted) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line == wanted) {
      return true;
    }
  }
  return false;
}

bool in_path(std::string_view program) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    if (::access(fmt::format("{}/{}", folder, program).c_str(), X_OK) == 0) {
      return true;
    }
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
  }
  return false;
}

// CAP_SYS_ADMIN counts only in the initial user namespace, whose uid map is the whole range (user_namespaces(7)).
bool has_sys_admin() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) {
    return false;
  }
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  map >> inside >> outside >> count;
  return (data[0].effective & (1U << CAP_SYS_ADMIN)) != 0 && inside == 0 && outside == 0 && count == 0xffffffffU;
}

Finding finding(std::string name, bool have, std::string detail, std::string remedy) {
  return {std::move(name), have, std::move(detail), have ? std::string() : std::move(remedy)};
}

// What a mount of ours gets, or why there can't be one.
Result<Capabilities> try_mount() {
  const char* folder = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe)
  std::string path = fmt::format("{}/dmmap-probe-XXXXXX", folder != nullptr ? folder : "/tmp");
  if (::mkdtemp(path.data()) == nullptr) {
    return fail_errno(errno, fmt::format("making a temporary folder {}", path));
  }
  NothingInside filesystem;
  SessionOptions options;
  options.mount.mountpoint = path;
  options.direct_io_allow_mmap = true;
  options.log = [](LogLevel, const std::string&) {};
  Result<Capabilities> found = fail(EIO, "");
  {
    auto session = Session::mount(filesystem, std::move(options));
    found = session ? Result<Capabilities>(session->connection().capabilities()) : tl::unexpected(session.error());
  }
  ::rmdir(path.c_str());
  return found;
}

Finding from_capabilities(const ProbeReport& report, Feature feature, std::string name, std::string detail,
                          std::string remedy) {
  if (!report.mount) {
    return finding(std::move(name), false, "nothing could be mounted", "see mount");
  }
  const bool have = report.mount->has(feature);
  return finding(std::move(name), have, have ? std::move(detail) : std::string(report.mount->why_not(feature)),
                 std::move(remedy));
}

Finding io_uring_finding() {
  const std::string enabled = first_line("/sys/module/fuse/parameters/enable_uring");
  if (enabled.empty()) {
    return finding("io_uring", false, "this kernel's FUSE has no io_uring", "use Linux 6.14 or newer; /dev/fuse works");
  }
  return finding("io_uring", enabled == "Y" || enabled == "1",
                 fmt::format("/sys/module/fuse/parameters/enable_uring is {}", enabled),
                 "as root: echo 1 > /sys/module/fuse/parameters/enable_uring");
}

void look_at_system(ProbeReport& report) {
  const bool device = ::access("/dev/fuse", R_OK | W_OK) == 0;
  report.findings.push_back(finding("device", device, device ? "/dev/fuse" : std::strerror(errno),
                                    "'modprobe fuse'; in a container, hand /dev/fuse in"));
  report.findings.push_back(finding("fusermount3", in_path("fusermount3"),
                                    in_path("fusermount3") ? "in PATH" : "not in PATH",
                                    "install the package fuse3: users without privilege mount with it"));
  const bool admin = has_sys_admin();
  report.findings.push_back(finding("privilege", admin,
                                    admin ? "CAP_SYS_ADMIN in the initial user namespace" : "no CAP_SYS_ADMIN there",
                                    "run as root outside of containers: shared regions need it"));
  const bool others = ::geteuid() == 0 || has_line("/etc/fuse.conf", "user_allow_other");
  report.findings.push_back(finding("allow_other", others,
                                    others ? "other users may be let in" : "/etc/fuse.conf lacks user_allow_other",
                                    "as root: add the line user_allow_other to /etc/fuse.conf"));
  const bool control = ::access("/sys/fs/fuse/connections/.", F_OK) == 0;
  report.findings.push_back(finding("fusectl", control, control ? "/sys/fs/fuse/connections" : "not there",
                                    "mount -t fusectl fusectl /sys/fs/fuse/connections"));
}

void look_at_mount(ProbeReport& report) {
  report.findings.push_back(
      from_capabilities(report, Feature::passthrough, "passthrough", "files can be backed by memory",
                        "Linux 6.9 with CONFIG_FUSE_PASSTHROUGH, and CAP_SYS_ADMIN in the initial user namespace"));
  report.findings.push_back(from_capabilities(report, Feature::direct_io_allow_mmap, "direct_io_mmap",
                                              "direct_io files can be mapped through the page cache",
                                              "Linux 6.6 or newer"));
  report.findings.push_back(io_uring_finding());
  report.findings.push_back(
      finding("notify", report.mount.has_value(),
              report.mount ? "POLL, INVAL_INODE, INVAL_ENTRY, STORE, RETRIEVE" : "nothing mounted", "see mount"));
  report.findings.push_back(from_capabilities(report, Feature::notify_delete, "notify_delete", "DELETE", "Linux 3.3"));
  report.findings.push_back(from_capabilities(report, Feature::resend, "notify_resend", "RESEND", "Linux 6.9"));
  report.findings.push_back(
      from_capabilities(report, Feature::notify_inc_epoch, "notify_inc_epoch", "INC_EPOCH", "Linux 6.17"));
  report.findings.push_back(from_capabilities(report, Feature::notify_prune, "notify_prune", "PRUNE", "Linux 6.18"));
}

void judge_tiers(ProbeReport& report) {
  const bool shared = report.mount && report.mount->has(Feature::passthrough);
  const std::string why = report.mount ? std::string(report.mount->why_not(Feature::passthrough)) : "nothing mounts";
  report.tiers.push_back(
      finding("open/shared", shared, shared ? "each open maps memory that the server shares" : why, "see passthrough"));
  report.tiers.push_back(finding("open/paged", report.mount.has_value(),
                                 report.mount ? "the kernel's page cache can be mapped" : "nothing mounts",
                                 "see mount"));
  report.tiers.push_back(
      finding("preload", report.mount.has_value(),
              report.mount ? "asked at each mmap() of programs that are started by 'dmmap run'" : "nothing mounts",
              "see mount"));
  const auto kernel = report.mount ? report.mount->tiers.back() : TierState{Tier::kernel, false, "nothing mounts"};
  report.tiers.push_back(finding("kernel", kernel.have,
                                 kernel.have ? "asked at each mmap(), by the kernel" : kernel.why_not,
                                 "no stock kernel has it; 'dmmap run' asks in its place"));
}

}  // namespace

Result<ProbeReport> probe() {
  ProbeReport report;
  utsname system{};
  ::uname(&system);
  report.kernel = static_cast<const char*>(system.release);
  look_at_system(report);
  auto mount = try_mount();
  if (mount) {
    report.mount = std::move(*mount);
    report.findings.push_back(finding("mount", true, fmt::format("FUSE 7.{}", report.mount->kernel_minor), ""));
  } else {
    report.findings.push_back(finding("mount", false, mount.error().message, "see device, fusermount3, privilege"));
  }
  look_at_mount(report);
  judge_tiers(report);
  return report;
}

}  // namespace dmmap
