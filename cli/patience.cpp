#include "cli/patience.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace dmmap::cli {

namespace {

using Clock = std::chrono::steady_clock;

// A thread wouldn't do: once a server has read a request, its client's wait can't even be killed (fs/fuse/dev.c,
// request_wait_answer), and a process isn't gone before each of its threads is. A child can be left.
[[noreturn]] void be_the_child(int answer, const std::function<Result<std::string>()>& work) {
  // Whoever reads what the program prints must not wait for this process.
  const int null = ::open("/dev/null", O_RDWR);
  for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(null, each);
  }
  const auto result = work();
  const std::string text =
      result ? std::string("\0", 1) + *result
             : std::string(1, static_cast<char>(std::min(result.error().code, 255))) + result.error().message;
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(answer, text.data() + done, text.size() - done);
    if (wrote < 0 && errno != EINTR) {
      break;
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(wrote, 0));
  }
  ::_exit(0);
}

// All that comes before the other end is closed; what came so far where `deadline` is sooner, and `late` set.
std::string read_until(int from, Clock::time_point deadline, bool& late) {
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{from, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready == 0) {
      late = true;
      return text;
    }
    const ssize_t got = ready > 0 ? ::read(from, part.data(), part.size()) : -1;
    if (got > 0) {
      text.append(part.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return text;
    }
  }
}

}  // namespace

Result<std::string> with_patience(const std::string& path, std::chrono::milliseconds patience,
                                  const std::function<Result<std::string>()>& work) {
  const auto deadline = Clock::now() + patience;
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return fail_errno(errno, path);
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    be_the_child(pipe[1], work);
  }
  const int code = errno;
  ::close(pipe[1]);
  bool late = false;
  const std::string text = child > 0 ? read_until(pipe[0], deadline, late) : "";
  ::close(pipe[0]);
  if (child < 0) {
    return fail_errno(code, path);
  }
  if (late) {
    ::kill(child, SIGKILL);  // and not waited for
    return fail(ETIMEDOUT, fmt::format("{}: the server doesn't answer within {} s; it may be stopped", path,
                                       std::chrono::duration<double>(patience).count()));
  }
  ::waitpid(child, nullptr, 0);
  if (text.empty()) {
    return fail(EIO, path + ": the process that was to use it died");
  }
  if (text.front() != '\0') {
    return fail(static_cast<unsigned char>(text.front()), text.substr(1));
  }
  return text.substr(1);
}

}  // namespace dmmap::cli
