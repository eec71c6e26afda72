#include "session/completion.h"

#include <cerrno>

namespace dmmap {

namespace {
thread_local bool serves_requests = false;
}

void session::mark_serving_thread() {
  serves_requests = true;
}
bool session::is_serving_thread() {
  return serves_requests;
}

void Completion::State::set(Result<void> outcome) {
  const MutexLock lock(lock_);
  outcome_ = std::move(outcome);
  changed_.notify_all();
}

Result<void> Completion::State::wait() {
  MutexLock lock(lock_);
  if (!outcome_ && session::is_serving_thread()) {
    return fail(EDEADLK, "a thread that serves requests can't wait for a notification, which may need it");
  }
  while (!outcome_) {
    lock.wait(changed_);
  }
  return *outcome_;
}

bool Completion::State::ready() {
  const MutexLock lock(lock_);
  return outcome_.has_value();
}

Result<void> Completion::wait() const {
  return state_->wait();
}
bool Completion::ready() const {
  return state_->ready();
}

}  // namespace dmmap
