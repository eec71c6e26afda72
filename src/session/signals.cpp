#include "session/signals.h"

#include <fcntl.h>

#include <atomic>
#include <cerrno>

#include "transport/thread.h"

namespace dmmap::session {

namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};
constexpr unsigned char kQuit = 0;

std::atomic<int> signal_pipe{-1};

extern "C" void note_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  static_cast<void>(!::write(signal_pipe.load(), &byte, 1));
  errno = saved;
}

}  // namespace

Result<std::unique_ptr<SignalWatch>> SignalWatch::create(std::function<void()> on_stop,
                                                         std::function<void()> on_hangup) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail_errno(errno, "pipe2");
  }
  auto watch = std::unique_ptr<SignalWatch>(new SignalWatch());
  watch->pipe_read_.reset(ends[0]);
  watch->pipe_write_.reset(ends[1]);
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  int none = -1;
  if (!signal_pipe.compare_exchange_strong(none, ends[1])) {
    return fail(EBUSY, "another session of this process waits for signals already");
  }
  watch->thread_ = start_thread("dmmap-signals", [raw = watch.get(), stop = std::move(on_stop),
                                                  hangup = std::move(on_hangup)] { raw->run(stop, hangup); });
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = &note_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(kSignals.at(i), nullptr, &watch->former_.at(i));
    if (watch->former_.at(i).sa_handler != SIG_IGN) {
      ::sigaction(kSignals.at(i), &action, nullptr);
    }
  }
  return watch;
}

void SignalWatch::run(const std::function<void()>& on_stop, const std::function<void()>& on_hangup) {
  while (true) {
    unsigned char byte = kQuit;
    if (::read(pipe_read_.get(), &byte, 1) < 0 && errno == EINTR) {
      continue;
    }
    if (byte == kQuit) {
      return;
    }
    if (byte == SIGHUP) {
      if (on_hangup) {
        on_hangup();
      }
    } else {
      on_stop();
    }
  }
}

SignalWatch::~SignalWatch() {
  if (!thread_.joinable()) {
    return;  // create() failed
  }
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals.at(i), &former_.at(i), nullptr);
  }
  signal_pipe.store(-1);
  static_cast<void>(!::write(pipe_write_.get(), &kQuit, 1));
  thread_.join();
}

}  // namespace dmmap::session
