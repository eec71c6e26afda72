#include "session/work_queue.h"

#include "transport/thread.h"

namespace dmmap::session {

void WorkQueue::post(NodeId key, Job job) {
  {
    const MutexLock lock(lock_);
    if (!stopped_) {
      Strand& strand = strands_[key];
      strand.jobs.push_back(std::move(job));
      if (!strand.running && strand.jobs.size() == 1) {
        ready_.push_back(key);
        if (ready_.size() > idle_ && threads_.size() < kMaxThreads) {
          threads_.push_back(start_thread("dmmap-work", [this] { work(); }));
        }
        changed_.notify_one();
      }
      return;
    }
  }
  job(false);
}

void WorkQueue::work() {
  MutexLock lock(lock_);
  while (true) {
    ++idle_;
    while (ready_.empty() && !stopped_) {
      lock.wait(changed_);
    }
    --idle_;
    if (ready_.empty()) {
      return;
    }
    const NodeId key = ready_.front();
    ready_.pop_front();
    Strand& strand = strands_[key];  // references into an unordered_map stay good while others come and go
    strand.running = true;
    const Job job = std::move(strand.jobs.front());
    strand.jobs.pop_front();
    const bool send = !stopped_;
    lock.unlock();
    job(send);
    lock.lock();
    strand.running = false;
    if (strand.jobs.empty()) {
      strands_.erase(key);
    } else {
      ready_.push_back(key);
      changed_.notify_one();
    }
  }
}

void WorkQueue::stop() {
  std::vector<std::thread> threads;
  {
    const MutexLock lock(lock_);
    stopped_ = true;
    changed_.notify_all();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace dmmap::session
