// A source that gives what a test says, when it says so.
#pragma once

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "servers/camera/picture/av.h"
#include "servers/camera/sources/source.h"

namespace dmmap::camera {

/// Outlives the source; the test's side of it.
class Script {
 public:
  explicit Script(About about) : about_(about) {}

  void give(Picture picture, std::uint64_t number) { add(Shot{std::move(picture), Clock::now(), number}); }
  void fail(int code, const std::string& message = "as the test said") { add(tl::unexpected(Error{code, message})); }
  /// From now on pictures come by themselves.
  void flow(Picture picture) {
    const std::lock_guard lock(lock_);
    flowing_ = std::move(picture);
    changed_.notify_all();
  }

  struct Counts {
    unsigned begun = 0;
    unsigned ended = 0;
    unsigned asked = 0;
    unsigned interrupts = 0;
    bool waits = false;  ///< next() does, now
  };
  [[nodiscard]] Counts counts() const {
    const std::lock_guard lock(lock_);
    return counts_;
  }
  /// Whether that became true.
  [[nodiscard]] bool wait(const std::function<bool(const Counts&)>& until) {
    std::unique_lock lock(lock_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return until(counts_); });
  }
  [[nodiscard]] std::unique_ptr<Source> source() { return std::make_unique<Scripted>(*this); }

 private:
  class Scripted final : public Source {
   public:
    explicit Scripted(Script& script) : script_(script) {}
    [[nodiscard]] About about() const override { return script_.about_; }
    void begin() override { script_.begin(); }
    Result<Shot> next() override { return script_.next(); }
    void end() override { script_.end(); }
    void interrupt() override { script_.interrupt(); }

   private:
    Script& script_;
  };

  void add(Result<Shot> what) {
    const std::lock_guard lock(lock_);
    what_.push_back(std::move(what));
    changed_.notify_all();
  }
  void begin() {
    const std::lock_guard lock(lock_);
    interrupted_ = false;
    ++counts_.begun;
    number_ = 0;
    changed_.notify_all();
  }
  Result<Shot> next() {
    std::unique_lock lock(lock_);
    ++counts_.asked;
    counts_.waits = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return interrupted_ || !what_.empty() || flowing_; });
    counts_.waits = false;
    changed_.notify_all();
    if (interrupted_) {
      return dmmap::fail(ECANCELED, "interrupted");
    }
    if (what_.empty()) {
      return Shot{flowing_, Clock::now(), number_++};
    }
    Result<Shot> first = std::move(what_.front());
    what_.pop_front();
    return first;
  }
  void end() {
    const std::lock_guard lock(lock_);
    ++counts_.ended;
    changed_.notify_all();
  }
  void interrupt() {
    const std::lock_guard lock(lock_);
    interrupted_ = true;
    ++counts_.interrupts;
    changed_.notify_all();
  }

  const About about_;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  std::deque<Result<Shot>> what_;
  Picture flowing_;
  std::uint64_t number_ = 0;
  bool interrupted_ = false;
  Counts counts_;
};

}  // namespace dmmap::camera
