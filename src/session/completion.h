// Completion::State: the outcome of one notification, waited for.
#pragma once

#include <dmmap/notifier.h>
#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <optional>

namespace dmmap {

class Completion::State {
 public:
  void set(Result<void> outcome) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] Result<void> wait() DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool ready() DMMAP_EXCLUDES(lock_);

 private:
  Mutex lock_;
  std::condition_variable changed_;
  std::optional<Result<void>> outcome_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap
