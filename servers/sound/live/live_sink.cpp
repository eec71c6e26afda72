#include "servers/sound/live/live_sink.h"

#include <dmmap/thread_safety.h>

#include <fmt/format.h>
#include <pthread.h>

#include <cerrno>
#include <condition_variable>
#include <optional>
#include <utility>
#include <vector>

#include "servers/sound/audio/converter.h"

namespace dmmap::sound {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMost{500};    // that wait for an output
constexpr milliseconds kRound{5};     // until an output is asked again whether it takes more
constexpr milliseconds kGlance{100};  // and whether it's still there

}  // namespace

class LiveSink::Worker {
 public:
  Worker(const std::string& name, std::unique_ptr<Output> output, const LogSink& log, LivePatience patience)
      : output_(std::move(output)), attempts_(name, log, patience.retry), patience_(patience) {}

  void start(const SinkFormat& format) { format_ = format; }
  void push(std::span<const float> samples) DMMAP_EXCLUDES(lock_);
  void idle() DMMAP_EXCLUDES(lock_);
  /// The thread is to end when all is heard.
  void stop() DMMAP_EXCLUDES(lock_);
  /// The thread's.
  void run() DMMAP_EXCLUDES(lock_);

 private:
  using Next = std::optional<Time>;  // when there's something to do; nothing: when something comes

  [[nodiscard]] std::size_t samples(Nanoseconds time) const {
    const double frames = std::chrono::duration<double>(time).count() * format_.rate;
    return static_cast<std::size_t>(frames) * format_.channels;
  }
  void keep_newest(std::size_t count) DMMAP_REQUIRES(lock_);
  [[nodiscard]] bool done() const DMMAP_REQUIRES(lock_) {
    return stopping_ && (failing_ || (queue_.empty() && !open_));
  }
  void wait_for_work(MutexLock& lock, Next next) DMMAP_REQUIRES(lock_);
  [[nodiscard]] std::optional<Converter> converter() const;
  Next step(Time now) DMMAP_EXCLUDES(lock_);
  Next connect(Time now) DMMAP_EXCLUDES(lock_);
  Next rest(Time now, bool stopping);
  void works() DMMAP_EXCLUDES(lock_);
  void take_queue(Time now) DMMAP_EXCLUDES(lock_);
  Next failed(Time now, const Error& error) DMMAP_EXCLUDES(lock_);

  SinkFormat format_;

  // The thread's own.
  const std::unique_ptr<Output> output_;
  Attempts attempts_;
  const LivePatience patience_;
  SinkFormat got_;
  std::optional<Converter> convert_;
  std::vector<float> pending_;  // as the output has it
  std::size_t written_ = 0;     // of pending_
  Time moved_{};                // when the output last took something, or got something to take
  bool open_ = false;
  bool working_ = false;  // it has taken something since it was opened
  bool playing_out_ = false;

  Mutex lock_;
  std::condition_variable changed_;
  std::vector<float> queue_ DMMAP_GUARDED_BY(lock_);
  bool idle_ DMMAP_GUARDED_BY(lock_) = false;     // after what is in queue_
  bool failing_ DMMAP_GUARDED_BY(lock_) = false;  // what attempts_ says
  bool stopping_ DMMAP_GUARDED_BY(lock_) = false;
};

void LiveSink::Worker::push(std::span<const float> samples_played) {
  {
    const MutexLock lock(lock_);
    queue_.insert(queue_.end(), samples_played.begin(), samples_played.end());
    idle_ = false;
    if (queue_.size() > samples(kMost)) {
      keep_newest(samples(kCushion));
    }
  }
  changed_.notify_all();
}

void LiveSink::Worker::keep_newest(std::size_t count) {
  if (queue_.size() > count) {
    queue_.erase(queue_.begin(), queue_.end() - static_cast<std::ptrdiff_t>(count));
  }
}

void LiveSink::Worker::idle() {
  {
    const MutexLock lock(lock_);
    idle_ = true;
    if (failing_) {
      queue_.clear();  // or it would be heard before what is played next
    }
  }
  changed_.notify_all();
}

void LiveSink::Worker::stop() {
  {
    const MutexLock lock(lock_);
    stopping_ = idle_ = true;
  }
  changed_.notify_all();
}

void LiveSink::Worker::run() {
  ::pthread_setname_np(::pthread_self(), "sink");
  MutexLock lock(lock_);
  while (!done()) {
    lock.unlock();
    const Next next = step(std::chrono::steady_clock::now());
    lock.lock();
    wait_for_work(lock, next);
  }
  lock.unlock();
  if (open_) {
    output_->close();
  }
}

void LiveSink::Worker::wait_for_work(MutexLock& lock, Next next) {
  const bool more = !queue_.empty() && pending_.empty();
  if (next && !(open_ && more)) {
    lock.wait_until(changed_, *next);
  } else if (!next && !more && !stopping_) {
    lock.wait(changed_);
  }
}

LiveSink::Worker::Next LiveSink::Worker::step(Time now) {
  if (!open_) {
    return connect(now);
  }
  if (pending_.empty()) {
    take_queue(now);
  }
  const auto wrote = output_->write(std::span(pending_).subspan(written_));
  if (!wrote) {
    return failed(now, wrote.error());
  }
  if (*wrote > 0) {
    moved_ = now;
    written_ += *wrote;
    works();
  }
  if (written_ < pending_.size()) {
    return now - moved_ > patience_.stall ? failed(now, {ETIMEDOUT, "it takes nothing any more"}) : now + kRound;
  }
  pending_.clear();
  written_ = 0;
  MutexLock lock(lock_);
  const bool idle = idle_ && queue_.empty();
  const bool stopping = stopping_;
  lock.unlock();
  return idle ? rest(now, stopping) : now + kGlance;
}

void LiveSink::Worker::works() {
  if (!std::exchange(working_, true)) {
    attempts_.succeeded(fmt::format("it plays, {} Hz and {} channels", got_.rate, got_.channels));
    const MutexLock lock(lock_);
    failing_ = false;
  }
}

// All is written, and nothing more comes for now.
LiveSink::Worker::Next LiveSink::Worker::rest(Time now, bool stopping) {
  if (!std::exchange(playing_out_, true)) {
    if (convert_) {
      convert_->finish(pending_);
      convert_ = converter();
    }
    if (!pending_.empty()) {
      playing_out_ = false;
      return now;
    }
    output_->play_out();
  }
  if (now - moved_ > patience_.rest || (stopping && output_->played_out())) {
    output_->close();
    open_ = false;
    return {};
  }
  return now + (stopping ? kRound : kGlance);
}

std::optional<Converter> LiveSink::Worker::converter() const {
  if (got_.rate == format_.rate && got_.channels == format_.channels) {
    return std::nullopt;
  }
  return Converter({format_.rate, format_.channels}, {got_.rate, got_.channels});
}

LiveSink::Worker::Next LiveSink::Worker::connect(Time now) {
  MutexLock lock(lock_);
  if (queue_.empty()) {
    return {};
  }
  lock.unlock();
  if (!attempts_.due(now)) {
    return attempts_.next();
  }
  const auto got = output_->open(format_);
  now = std::chrono::steady_clock::now();
  if (!got) {
    return failed(now, got.error());
  }
  open_ = true;
  working_ = playing_out_ = false;
  moved_ = now;
  got_ = *got;
  convert_ = converter();
  if (attempts_.failing()) {
    lock.lock();
    keep_newest(samples(kCushion));
  }
  return now;
}

void LiveSink::Worker::take_queue(Time now) {
  std::vector<float> taken;
  MutexLock lock(lock_);
  taken.swap(queue_);
  lock.unlock();
  if (taken.empty()) {
    return;
  }
  moved_ = now;
  playing_out_ = false;
  if (convert_) {
    convert_->process(taken, pending_);
  } else {
    pending_.swap(taken);
  }
}

LiveSink::Worker::Next LiveSink::Worker::failed(Time now, const Error& error) {
  output_->close();
  open_ = false;
  pending_.clear();
  written_ = 0;
  attempts_.failed(now, error);
  const MutexLock lock(lock_);
  failing_ = true;
  if (idle_) {
    queue_.clear();
  }
  return attempts_.next();
}

LiveSink::LiveSink(const std::string& name, std::unique_ptr<Output> output, const LogSink& log, LivePatience patience)
    : thread_(patience.end),
      worker_(std::make_shared<Worker>(name, std::move(output), thread_.while_here(log), patience)) {}

LiveSink::~LiveSink() {
  worker_->stop();
  thread_.end();
}

Result<void> LiveSink::start(const SinkFormat& format) {
  worker_->start(format);
  thread_.start([worker = worker_] { worker->run(); });
  return {};
}

Result<void> LiveSink::write(std::span<const float> samples) {
  worker_->push(samples);
  return {};
}

Result<void> LiveSink::idle() {
  worker_->idle();
  return {};
}

}  // namespace dmmap::sound
