#include "preload/process.h"

#include <pthread.h>

#include <atomic>

#include "preload/mapping_table.h"
#include "preload/quiet.h"
#include "preload/system.h"

namespace dmmap::preload {

namespace {

constinit std::atomic<long> own_process{0};
constinit SignalMask blocked_before_fork = 0;  // under the table's lock

void before_fork() {
  const SignalMask before = set_blocked_signals(~SignalMask{0});
  mappings.lock().take();
  blocked_before_fork = before;
}

void after_fork() {
  const SignalMask before = blocked_before_fork;
  mappings.lock().give();
  set_blocked_signals(before);
}

void after_fork_in_child() {
  own_process.store(system_call(SYS_getpid), std::memory_order_relaxed);
  mappings.forget_what_is_not_inherited();
  after_fork();
}

[[gnu::constructor]] void begin() {
  own_process.store(system_call(SYS_getpid), std::memory_order_relaxed);
  pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

}  // namespace

bool is_own_process() {
  return own_process.load(std::memory_order_relaxed) == system_call(SYS_getpid);
}

}  // namespace dmmap::preload
