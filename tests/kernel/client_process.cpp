#include "kernel/client_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace dmmap::testing {

namespace {

constexpr std::chrono::seconds kPatience{10};

}  // namespace

Client::Client(const std::function<int()>& body) : pid_(::fork()) {
  if (pid_ == 0) {
    // The server's, above all: it isn't dead while its descriptor is open here.
    ::close_range(3, ~0U, 0);
    ::_exit(body());
  }
}

Client::~Client() {
  if (!status_) {
    kill();
    wait();
  }
}

void Client::kill() {
  ::kill(pid_, SIGKILL);
}

int Client::wait() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!status_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      status_ = status;
    } else if (std::chrono::steady_clock::now() > until) {
      kill();
      status_ = -1;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  }
  return *status_;
}

int run_client(const std::function<int()>& body) {
  Client client(body);
  const int status = client.wait();
  return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace dmmap::testing
