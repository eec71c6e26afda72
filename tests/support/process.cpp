#include "support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <thread>

#include "support/mounts.h"

namespace dmmap::testing {
namespace {

constexpr std::chrono::seconds kUnkillable{10};

std::vector<std::string> environment_with(const std::vector<std::string>& additions) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool replaced = std::any_of(additions.begin(), additions.end(),
                                      [&](const std::string& added) { return added.starts_with(name); });
    if (!replaced) {
      all.emplace_back(text);
    }
  }
  all.insert(all.end(), additions.begin(), additions.end());
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

struct Prepared {
  char** argv = nullptr;
  char** environment = nullptr;
  const char* directory = nullptr;  // null: stay
  std::optional<uid_t> user;
  const char* input = nullptr;
  int out_fd = -1;
  int err_fd = -1;
  pid_t parent = -1;
};

// The child between fork and exec: other threads of the test don't exist here and may have held locks, so only
// async-signal-safe calls are allowed.
[[noreturn]] void become(const Prepared& prepared) {
  const int in_fd = ::open(prepared.input, O_RDONLY);
  if (in_fd < 0) {
    ::_exit(126);
  }
  ::dup2(in_fd, STDIN_FILENO);
  ::dup2(prepared.out_fd, STDOUT_FILENO);
  ::dup2(prepared.err_fd, STDERR_FILENO);
  if (in_fd > STDERR_FILENO) {
    ::close(in_fd);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // What a shell in the background has told the test to ignore isn't meant for the child.
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) {
    ::signal(number, SIG_DFL);
  }
  if (prepared.user) {
    const auto group = static_cast<gid_t>(*prepared.user);
    if (::setgroups(0, nullptr) != 0 || ::setresgid(group, group, group) != 0 ||
        ::setresuid(*prepared.user, *prepared.user, *prepared.user) != 0) {
      ::_exit(126);
    }
  }
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != prepared.parent) {
    ::_exit(126);
  }
  if (prepared.directory != nullptr && ::chdir(prepared.directory) != 0) {
    ::_exit(126);
  }
  environ = prepared.environment;
  ::execvp(prepared.argv[0], prepared.argv);
  constexpr std::string_view kComplaint = "can't be executed\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kComplaint.data(), kComplaint.size());
  ::_exit(127);
}

std::string contents(int fd) {
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (n <= 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

Process::Process(std::vector<std::string> argv, const Options& options)
    : name_(argv.at(0)),
      out_fd_(::memfd_create("stdout", MFD_CLOEXEC)),
      err_fd_(::memfd_create("stderr", MFD_CLOEXEC)) {
  std::vector<std::string> environment = environment_with(options.environment);
  std::vector<char*> argv_pointers = pointers(argv);
  std::vector<char*> environment_pointers = pointers(environment);
  const Prepared prepared{.argv = argv_pointers.data(),
                          .environment = environment_pointers.data(),
                          .directory = options.directory.empty() ? nullptr : options.directory.c_str(),
                          .user = options.user,
                          .input = options.input.empty() ? "/dev/null" : options.input.c_str(),
                          .out_fd = out_fd_,
                          .err_fd = err_fd_,
                          .parent = ::getpid()};
  pid_ = ::fork();
  if (pid_ == 0) {
    become(prepared);
  }
  const int failure = errno;
  if (pid_ > 0) {
    pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    return;
  }
  ::close(out_fd_);
  ::close(err_fd_);
  throw std::system_error(failure, std::generic_category(), "fork for " + name_);
}

Process::~Process() {
  if (!status_) {
    kill(SIGKILL);
    if (!ended_within(kUnkillable)) {
      std::fprintf(stderr, "%s (pid %d) can't be killed and is left behind\n", name_.c_str(), pid_);
    }
  }
  ::close(pid_fd_);
  ::close(out_fd_);
  ::close(err_fd_);
}

std::string Process::out() const {
  return contents(out_fd_);
}

std::string Process::err() const {
  return contents(err_fd_);
}

bool Process::wait_for_output(std::string_view text, std::chrono::milliseconds timeout) {
  const auto written = [&] { return out().find(text) != std::string::npos || err().find(text) != std::string::npos; };
  // The second look is for what was written just before the end.
  return wait_until([&] { return written() || !running(); }, timeout) && written();
}

bool Process::running() {
  return !ended_within(std::chrono::milliseconds(0));
}

bool Process::ended_within(std::chrono::milliseconds timeout) {
  if (status_) {
    return true;
  }
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd waiting{.fd = pid_fd_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready > 0) {
      break;
    }
    if (ready == 0 && std::chrono::steady_clock::now() >= end) {
      return false;
    }
  }
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) {
    return false;
  }
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

Ended Process::wait(std::chrono::milliseconds timeout) {
  if (ended_within(timeout)) {
    return {.status = *status_, .timed_out = false};
  }
  kill(SIGKILL);
  const bool ended = ended_within(kUnkillable);
  return {.status = ended ? *status_ : -1, .timed_out = true};
}

void Process::kill(int signal) {
  if (!status_) {
    ::kill(pid_, signal);
  }
}

Outcome run(std::vector<std::string> argv, std::chrono::milliseconds timeout, const Process::Options& options) {
  Process process(std::move(argv), options);
  const Ended ended = process.wait(timeout);
  return {.status = ended.status, .out = process.out(), .err = process.err(), .timed_out = ended.timed_out};
}

}  // namespace dmmap::testing
