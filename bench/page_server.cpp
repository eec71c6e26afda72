#include "bench/page_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/paired.h"

namespace dmmap::bench {

namespace {

constexpr int kSocket = 3;        // the server's end
constexpr int kPatience = 30000;  // milliseconds

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

template <class T>
bool receive(int socket, T& value) {
  return ::recv(socket, &value, sizeof value, MSG_WAITALL) == static_cast<ssize_t>(sizeof value);
}
template <class T>
bool send(int socket, const T& value) {
  return ::send(socket, &value, sizeof value, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof value);
}

std::vector<std::string> arguments(const ServerOptions& options) {
  std::vector<std::string> words{options.mountpoint,
                                 fmt::format("size={}", options.size),
                                 fmt::format("push={}", options.push),
                                 fmt::format("threads={}", options.threads),
                                 fmt::format("writeback_cache={}", static_cast<int>(options.writeback_cache)),
                                 fmt::format("splice={}", static_cast<int>(options.splice)),
                                 fmt::format("clone_fd={}", static_cast<int>(options.clone_fd))};
  if (options.readahead) {
    words.push_back(fmt::format("readahead={}", *options.readahead));
  }
  return words;
}

}  // namespace

ServerOptions parse_options(int argc, char** argv) {
  ServerOptions options;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    fail("a page server is started by paged_bench");
  }
  options.mountpoint = words[0];
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::uint64_t number =
        equals == std::string::npos ? 0 : std::strtoull(word.c_str() + equals + 1, nullptr, 10);
    if (name == "size") {
      options.size = number;
    } else if (name == "push") {
      options.push = number;
    } else if (name == "readahead") {
      options.readahead = static_cast<std::uint32_t>(number);
    } else if (name == "threads") {
      options.threads = static_cast<unsigned>(number);
    } else if (name == "writeback_cache") {
      options.writeback_cache = number != 0;
    } else if (name == "splice") {
      options.splice = number != 0;
    } else if (name == "clone_fd") {
      options.clone_fd = number != 0;
    }
  }
  return options;
}

void number_pages(std::span<std::byte> bytes) {
  for (std::uint64_t page = 0; page < bytes.size() / kPage; ++page) {
    std::memcpy(bytes.data() + page * kPage, &page, sizeof page);
  }
}

void serve_commands(const std::function<int(const Command&)>& carry_out) {
  Command command{};
  for (bool told = send(kSocket, Answer{0, 0}); told && receive(kSocket, command);) {
    Answer answer{0, 0};
    const double all = microseconds([&] {
      for (std::uint32_t i = 0; i < command.count && answer.error == 0; ++i) {
        answer.error = carry_out(command);
      }
    });
    answer.microseconds = all / command.count;
    told = send(kSocket, answer);
  }
}

PageServer::PageServer(const std::string& program, ServerOptions options) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    fail("socketpair");
  }
  socket_.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  timeval patience{kPatience / 1000, 0};
  ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  options.mountpoint = directory_.path().string();
  std::vector<std::string> words = arguments(options);
  words.insert(words.begin(), (std::filesystem::read_symlink("/proc/self/exe").parent_path() / program).string());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (theirs.get() == kSocket) {
      ::fcntl(kSocket, F_SETFD, 0);  // NOLINT(*-vararg)
    } else {
      ::dup2(theirs.get(), kSocket);
    }
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  Answer ready{};
  theirs.reset();
  if (pid_ < 0 || !receive(socket_.get(), ready)) {
    fail(program + " didn't start");
  }
}

PageServer::~PageServer() {
  socket_.reset();
  for (int waited = 0; waited < kPatience; waited += 10) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

double PageServer::ask(const Command& command) const {
  Answer answer{};
  if (!send(socket_.get(), command) || !receive(socket_.get(), answer)) {
    fail("a page server doesn't answer");
  }
  if (answer.error != 0) {
    fail(fmt::format("a page server failed: {}", std::strerror(answer.error)));
  }
  return answer.microseconds;
}

}  // namespace dmmap::bench
