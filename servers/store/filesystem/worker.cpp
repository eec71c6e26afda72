#include "servers/store/filesystem/worker.h"

#include <utility>

namespace dmmap::store {

Worker::Worker() : thread_([this] { work(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Worker::add(std::function<void()> task) {
  {
    const std::lock_guard guard(lock_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void Worker::work() {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock guard(lock_);
      changed_.wait(guard, [this] { return ending_ || !tasks_.empty(); });
      if (tasks_.empty()) {
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace dmmap::store
