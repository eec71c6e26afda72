// Starting the library's threads.
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace dmmap {

/// A thread called `name` (at most 15 characters, pthread_setname_np(3)) that takes no signals: those are for the
/// program's own threads, which know what to do with them.
template <class Body>
[[nodiscard]] std::thread start_thread(const char* name, Body&& body) {
  sigset_t all;
  sigset_t former;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &former);
  std::thread thread(std::forward<Body>(body));
  ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
  ::pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace dmmap
