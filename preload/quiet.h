// Quiet: no signal handler runs in this thread, and no other thread is in here, while one exists.
//
// Nothing may be allocated meanwhile: a malloc that maps or unmaps would come back in here.
#pragma once

#include <pthread.h>

#include <csignal>
#include <cstdint>

#include "preload/system.h"

namespace dmmap::preload {

/// The kernel's set of signals (sigset_t in asm-generic/signal.h).
using SignalMask = std::uint64_t;

/// Sets which signals this thread doesn't get now; returns which it didn't before.
inline SignalMask set_blocked_signals(SignalMask mask) {
  SignalMask before = 0;
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before, sizeof mask);
  return before;
}

/// Keeps signals, even those of the C library's own, from this thread. All that can't wait is SIGKILL.
class NoSignals {
 public:
  NoSignals() = default;
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { set_blocked_signals(before_); }

 private:
  SignalMask before_ = set_blocked_signals(~SignalMask{0});
};

class Lock {
 public:
  void take() { pthread_mutex_lock(&mutex_); }
  void give() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

class Quiet {
 public:
  explicit Quiet(Lock& lock) : lock_(lock) { lock_.take(); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { lock_.give(); }

 private:
  NoSignals no_signals_;  // first in, last out
  Lock& lock_;
};

}  // namespace dmmap::preload
