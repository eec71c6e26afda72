// Completion::State: the outcome of one notification, waited for.
#pragma once

#include <dmmap/notifier.h>
#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace dmmap {

class Completion::State {
 public:
  /// Asked before somebody waits: what it returns lives until the wait is over; null: the wait would have no end.
  using Guard = std::function<std::shared_ptr<void>()>;

  State() = default;
  explicit State(Guard guard) : guard_(std::move(guard)) {}
  [[nodiscard]] const Guard& guard() const { return guard_; }
  void set(Result<void> outcome) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] Result<void> wait() DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool ready() DMMAP_EXCLUDES(lock_);

 private:
  const Guard guard_;
  Mutex lock_;
  std::condition_variable changed_;
  std::optional<Result<void>> outcome_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap
