// LeavableThread: a thread that may hang in a library of the system's, and is left behind then.
//
// Promises: the destructor waits for the thread's end for as long as was said, and no longer. A thread that was left
// behind logs nothing more. Thread safety: one thread at a time.
#pragma once

#include <dmmap/log.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "servers/sound/audio/clock.h"

namespace dmmap::sound {

class LeavableThread {
 public:
  explicit LeavableThread(Nanoseconds patience) : patience_(patience) {}
  LeavableThread(const LeavableThread&) = delete;
  LeavableThread& operator=(const LeavableThread&) = delete;
  ~LeavableThread() { end(); }

  /// `work` keeps alive what it uses. REQUIRES: not started before.
  void start(std::function<void()> work) {
    std::packaged_task<void()> task(std::move(work));
    ended_ = task.get_future();
    thread_ = std::thread(std::move(task));
  }
  /// Waits, as the destructor does. Whatever has the thread come to its end is done before.
  void end() {
    if (!thread_.joinable()) {
      return;
    }
    if (ended_.wait_for(patience_) == std::future_status::ready) {
      thread_.join();
      return;
    }
    const std::lock_guard lock(here_->lock);
    here_->left = true;
    thread_.detach();
  }
  /// `log`, for the thread.
  [[nodiscard]] LogSink while_here(LogSink log) const {
    return [here = here_, log = std::move(log)](LogLevel level, const std::string& text) {
      const std::lock_guard lock(here->lock);
      if (!here->left) {
        log(level, text);
      }
    };
  }

 private:
  struct Here {
    std::mutex lock;
    bool left = false;
  };
  Nanoseconds patience_;
  std::shared_ptr<Here> here_ = std::make_shared<Here>();
  std::future<void> ended_;
  std::thread thread_;
};

}  // namespace dmmap::sound
