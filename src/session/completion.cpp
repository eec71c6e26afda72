#include "session/completion.h"

#include <cerrno>

#include "session/serving.h"

namespace dmmap {

void Completion::State::set(Result<void> outcome) {
  const MutexLock lock(lock_);
  outcome_ = std::move(outcome);
  changed_.notify_all();
}

Result<void> Completion::State::wait() {
  MutexLock lock(lock_);
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
  if (state_->ready()) {
    return state_->wait();
  }
  if (session::is_serving_thread()) {
    return fail(EDEADLK, "a thread that serves requests can't wait for an outcome that may need it");
  }
  const auto& guard = state_->guard();
  const std::shared_ptr<void> scope = guard ? guard() : nullptr;
  if (guard && !scope) {
    return fail(EDEADLK, "this thread holds an answer that the outcome needs: give it first");
  }
  return state_->wait();
}
bool Completion::ready() const {
  return state_->ready();
}

}  // namespace dmmap
