#include "cli/store_snapshot_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>

#include "cli/daemon_options.h"
#include "servers/store/filesystem/snapshot_ioctl.h"
#include "transport/unique_fd.h"

namespace dmmap::cli {

namespace {

std::string explain(int code, const std::string& source) {
  switch (code) {
    case ENOTTY:
      return fmt::format("{} isn't on a mount of dmmap store", source);
    case EPERM:
      return "only root and the user who runs the server may make snapshots; cp shares pages too";
    default:
      return std::strerror(code);
  }
}

Result<void> make_snapshot(const std::string& source, const std::string& target) {
  // Not to wait for a fifo's other end.
  const UniqueFd from(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!from) {
    return fail_errno(errno, fmt::format("opening {}", source));
  }
  std::filesystem::path path(target);
  if (!path.has_filename()) {
    path = path.parent_path();  // it ended with a slash
  }
  const std::string name = path.filename();
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  if (name.empty() || name.size() > store::kLongestName) {
    return fail(EINVAL, fmt::format("{} is no name for a snapshot", target));
  }
  struct stat original {};
  struct stat directory {};
  if (::fstat(from.get(), &original) != 0 || ::stat(folder.c_str(), &directory) != 0) {
    return fail_errno(errno, fmt::format("looking at {}", folder));
  }
  if (!S_ISREG(original.st_mode) && !S_ISDIR(original.st_mode)) {
    return fail(EINVAL, fmt::format("{} is neither a file nor a directory", source));
  }
  if (original.st_dev != directory.st_dev) {
    return fail(EXDEV, fmt::format("{} and {} aren't on the same mount", source, target));
  }
  store::SnapshotWish wish;
  wish.directory = directory.st_ino;
  std::memcpy(wish.name, name.data(), name.size());
  if (::ioctl(from.get(), store::kSnapshotIoctl, &wish) != 0) {
    return fail(errno, fmt::format("making {}: {}", target, explain(errno, source)));
  }
  return {};
}

}  // namespace

void add_store_snapshot_command(CLI::App& store, std::ostream& err, int& status) {
  CLI::App* const command =
      store.add_subcommand("snapshot", "Copy a file, or a directory with all in it, at one moment, sharing all pages");
  const auto source = std::make_shared<std::string>();
  const auto target = std::make_shared<std::string>();
  command->add_option("source", *source, "a file or directory on a mount of dmmap store")->required();
  command->add_option("target", *target, "what isn't there yet, on the same mount")->required();
  command->callback([&err, &status, source, target] {
    if (const auto made = make_snapshot(*source, *target); !made) {
      err << "dmmap store snapshot: " << made.error().message << std::endl;
      status = kFailed;
    }
  });
}

}  // namespace dmmap::cli
