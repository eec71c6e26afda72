#include "transport/helper_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

extern "C" char** environ;  // NOLINT(readability-redundant-declaration)

namespace dmmap::transport {

namespace {

constexpr const char* kHelper = "fusermount3";

// Commas and backslashes separate and escape in mount options.
std::string escape_option(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == ',' || c == '\\') {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

struct Finished {
  int status = 0;
  std::string complaints;  // what it wrote to stderr
};

// Runs the helper with `commands`' number in _FUSE_COMMFD, if one is given.
Result<Finished> run_helper(std::vector<std::string> arguments, int communication) {
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    return fail_errno(errno, "pipe2");
  }
  UniqueFd read_end(pipe_ends[0]);
  UniqueFd write_end(pipe_ends[1]);

  std::vector<char*> argv;
  for (auto& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  std::string variable = fmt::format("_FUSE_COMMFD={}", communication);
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    environment.push_back(*entry);
  }
  if (communication >= 0) {
    environment.push_back(variable.data());
  }
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  pid_t child = 0;
  const int code = ::posix_spawnp(&child, kHelper, &actions, nullptr, argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (code != 0) {
    return fail(code, fmt::format("mounting without privilege needs {} ({}): install the package fuse3, or run as root",
                                  kHelper, std::strerror(code)));
  }
  write_end.reset();
  Finished finished;
  std::array<char, 512> text{};
  for (ssize_t got = 0; (got = ::read(read_end.get(), text.data(), text.size())) > 0;) {
    finished.complaints.append(text.data(), static_cast<std::size_t>(got));
  }
  while (::waitpid(child, &finished.status, 0) < 0 && errno == EINTR) {
  }
  while (!finished.complaints.empty() && finished.complaints.back() == '\n') {
    finished.complaints.pop_back();
  }
  return finished;
}

Result<UniqueFd> receive_descriptor(int socket) {
  std::array<char, 1> byte{};
  iovec data{byte.data(), byte.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  while ((got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    return fail(EPROTO, fmt::format("{} mounted nothing", kHelper));
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

}  // namespace

Result<UniqueFd> mount_by_helper(const MountOptions& options, const std::string& mountpoint) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno(errno, "socketpair");
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  ::fcntl(theirs.get(), F_SETFD, 0);  // the helper finds it by number

  const std::string flags =
      fmt::format("{},nosuid,nodev,fsname={},subtype={}{}{}", options.read_only ? "ro" : "rw",
                  escape_option(options.source), escape_option(options.subtype),
                  options.allow_other ? ",allow_other" : "", options.default_permissions ? ",default_permissions" : "");
  const auto finished = run_helper({kHelper, "-o", flags, "--", mountpoint}, theirs.get());
  theirs.reset();
  if (!finished) {
    return tl::unexpected(finished.error());
  }
  if (!WIFEXITED(finished->status) || WEXITSTATUS(finished->status) != 0) {
    return fail(EPERM, fmt::format("{} refused to mount at {}: {}", kHelper, mountpoint, finished->complaints));
  }
  return receive_descriptor(ours.get());
}

Result<void> unmount_by_helper(const std::string& mountpoint) {
  const auto finished = run_helper({kHelper, "-u", "-z", "--", mountpoint}, -1);
  if (!finished) {
    return tl::unexpected(finished.error());
  }
  if (!WIFEXITED(finished->status) || WEXITSTATUS(finished->status) != 0) {
    return fail(EPERM, fmt::format("{} refused to unmount {}: {}", kHelper, mountpoint, finished->complaints));
  }
  return {};
}

}  // namespace dmmap::transport
