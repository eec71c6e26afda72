#include "protocol/print_flags.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <array>
#include <cctype>
#include <span>

namespace dmmap::protocol {

namespace {

struct Name {
  std::uint32_t bits;
  std::string_view name;
};

std::string names_of(std::uint32_t bits, std::span<const Name> names, std::string text) {
  for (const Name& each : names) {
    if (each.bits != 0 && (bits & each.bits) == each.bits) {
      text += fmt::format("{}{}", text.empty() ? "" : "|", each.name);
      bits &= ~each.bits;
    }
  }
  if (bits != 0) {
    text += fmt::format("{}{:#x}", text.empty() ? "" : "|", bits);
  }
  return text.empty() ? "0" : text;
}

// O_SYNC holds O_DSYNC's bit, and O_TMPFILE O_DIRECTORY's, so the larger stand first.
constexpr std::array kOpenNames{
    Name{O_CREAT, "O_CREAT"},         Name{O_EXCL, "O_EXCL"},         Name{O_NOCTTY, "O_NOCTTY"},
    Name{O_TRUNC, "O_TRUNC"},         Name{O_APPEND, "O_APPEND"},     Name{O_NONBLOCK, "O_NONBLOCK"},
    Name{O_SYNC, "O_SYNC"},           Name{O_DSYNC, "O_DSYNC"},       Name{O_ASYNC, "O_ASYNC"},
    Name{O_DIRECT, "O_DIRECT"},       Name{0100000, "O_LARGEFILE"},   Name{O_TMPFILE, "O_TMPFILE"},
    Name{O_DIRECTORY, "O_DIRECTORY"}, Name{O_NOFOLLOW, "O_NOFOLLOW"}, Name{O_NOATIME, "O_NOATIME"},
    Name{O_CLOEXEC, "O_CLOEXEC"},     Name{O_PATH, "O_PATH"},
};

constexpr std::array kPollNames{
    Name{POLLIN, "POLLIN"},         Name{POLLPRI, "POLLPRI"},       Name{POLLOUT, "POLLOUT"},
    Name{POLLERR, "POLLERR"},       Name{POLLHUP, "POLLHUP"},       Name{POLLNVAL, "POLLNVAL"},
    Name{POLLRDNORM, "POLLRDNORM"}, Name{POLLRDBAND, "POLLRDBAND"}, Name{POLLWRNORM, "POLLWRNORM"},
    Name{POLLWRBAND, "POLLWRBAND"}, Name{POLLRDHUP, "POLLRDHUP"},
};

}  // namespace

std::string open_flags(int flags) {
  constexpr std::array<std::string_view, 4> kAccess{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  const auto bits = static_cast<std::uint32_t>(flags);
  return names_of(bits & ~std::uint32_t{O_ACCMODE}, kOpenNames, std::string(kAccess.at(bits & O_ACCMODE)));
}

std::string poll_events(std::uint32_t events) {
  return names_of(events, kPollNames, {});
}

std::string ioctl_number(std::uint32_t command) {
  const std::uint32_t direction = _IOC_DIR(command);
  const char* macro = direction == (_IOC_READ | _IOC_WRITE) ? "_IOWR"
                      : direction == _IOC_READ              ? "_IOR"
                      : direction == _IOC_WRITE             ? "_IOW"
                                                            : "_IO";
  const auto type = static_cast<char>(_IOC_TYPE(command));
  const std::string letter = std::isprint(static_cast<unsigned char>(type)) != 0
                                 ? fmt::format("'{}'", type)
                                 : fmt::format("{:#x}", static_cast<unsigned char>(type));
  const std::uint32_t number = _IOC_NR(command);
  const std::uint32_t size = _IOC_SIZE(command);
  return direction == _IOC_NONE ? fmt::format("{}({}, {}) {:#010x}", macro, letter, number, command)
                                : fmt::format("{}({}, {}, {}) {:#010x}", macro, letter, number, size, command);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (std::isprint(static_cast<unsigned char>(c)) != 0) {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return result + '"';
}

}  // namespace dmmap::protocol
