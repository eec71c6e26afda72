#include "cli/served_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ostream>
#include <thread>

#include "cli/patience.h"

namespace dmmap::cli {

namespace {

constexpr std::chrono::seconds kPatience{5};

Result<std::string> read_now(const std::string& path, const std::string& command) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return tl::unexpected(cannot(errno, path, command));
  }
  std::string text;
  std::array<char, 4096> part{};
  ssize_t got = 0;
  while ((got = ::read(fd, part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  const int code = errno;
  ::close(fd);
  return got < 0 ? Result<std::string>(tl::unexpected(cannot(code, path, command))) : text;
}

}  // namespace

Error cannot(int code, const std::string& path, const std::string& command) {
  if (code == ENOENT || code == ENOTDIR) {
    return {code, fmt::format("{} isn't there: name the directory that `{}` was started with", path, command)};
  }
  if (code == ENOTCONN) {
    return {code, fmt::format("{}: the server has ended; unmount with umount -l, and start it again", path)};
  }
  return {code, fmt::format("{}: {}", path, std::strerror(code))};
}

Result<std::string> read_served(const std::string& path, const std::string& command) {
  return with_patience(path, kPatience, [path, command] { return read_now(path, command); });
}

Result<void> show_again(double seconds, bool redraw, std::ostream& out, const std::function<Result<void>()>& show) {
  const bool clear = seconds > 0 && redraw && ::isatty(STDOUT_FILENO) == 1;
  for (;;) {
    if (clear) {
      out << "\033[H\033[2J";
    }
    auto shown = show();
    out.flush();
    if (!shown || seconds <= 0 || !out) {
      return shown;
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }
}

std::string printable(std::string text) {
  for (char& each : text) {
    if (static_cast<unsigned char>(each) < ' ' || each == 0x7f) {
      each = '?';
    }
  }
  return text;
}

}  // namespace dmmap::cli
