#include "servers/sound/live/live_source.h"

#include <dmmap/thread_safety.h>

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "servers/sound/audio/converter.h"
#include "servers/sound/live/output.h"

namespace dmmap::sound {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMost{500};  // that a recording falls behind
constexpr milliseconds kRound{5};   // until an input is asked again

// Where in what came a recording is.
struct Cursor {
  std::uint64_t frame = 0;
  bool flowing = false;  // or it waits until there's a cushion
};

}  // namespace

class LiveSource::Worker {
 public:
  Worker(const std::string& name, std::unique_ptr<Input> input, const LogSink& log, LivePatience patience)
      : input_(std::move(input)), attempts_(name, log, patience.retry), patience_(patience) {}

  /// One recording more; what they all get.
  SourceFormat begin(const SourceFormat& wanted) DMMAP_EXCLUDES(lock_);
  void end() DMMAP_EXCLUDES(lock_);
  [[nodiscard]] Cursor newest() DMMAP_EXCLUDES(lock_);
  void read(Cursor& cursor, std::span<float> samples) DMMAP_EXCLUDES(lock_);
  void stop() DMMAP_EXCLUDES(lock_);
  /// The thread's.
  void run() DMMAP_EXCLUDES(lock_);

 private:
  // What the input is to be opened for.
  struct Wish {
    SourceFormat format;
    std::uint64_t number = 0;
  };
  using Next = std::optional<Time>;  // when there's something to do; nothing: when a recording begins

  [[nodiscard]] std::uint64_t frames(Nanoseconds time) const DMMAP_REQUIRES(lock_) {
    return static_cast<std::uint64_t>(std::chrono::duration<double>(time).count() * wish_.format.rate);
  }
  [[nodiscard]] std::uint64_t kept() const DMMAP_REQUIRES(lock_) { return kept_.size() / wish_.format.channels; }
  /// Nothing: nobody records.
  [[nodiscard]] std::optional<Wish> wish() DMMAP_EXCLUDES(lock_);
  Next step(Time now) DMMAP_EXCLUDES(lock_);
  Next connect(Time now, const Wish& wish);
  Next failed(Time now, const Error& error);
  void close();
  void append(const Wish& wish, std::span<const float> samples) DMMAP_EXCLUDES(lock_);

  // The thread's own.
  const std::unique_ptr<Input> input_;
  Attempts attempts_;
  const LivePatience patience_;
  std::optional<Wish> open_for_;
  SourceFormat got_;
  std::optional<Converter> convert_;
  Time moved_{};  // when something last came
  bool working_ = false;

  Mutex lock_;
  std::condition_variable changed_;
  unsigned recordings_ DMMAP_GUARDED_BY(lock_) = 0;
  Wish wish_ DMMAP_GUARDED_BY(lock_);
  std::vector<float> kept_ DMMAP_GUARDED_BY(lock_);    // what came last
  std::uint64_t end_ DMMAP_GUARDED_BY(lock_) = 0;      // the frame after that
  std::uint64_t longest_ DMMAP_GUARDED_BY(lock_) = 0;  // frames that were read at once
  bool stopping_ DMMAP_GUARDED_BY(lock_) = false;
};

SourceFormat LiveSource::Worker::begin(const SourceFormat& wanted) {
  const MutexLock lock(lock_);
  if (recordings_++ == 0) {
    wish_ = {wanted, wish_.number + 1};
    kept_.clear();
    longest_ = 0;
  }
  changed_.notify_all();
  return wish_.format;
}

void LiveSource::Worker::end() {
  const MutexLock lock(lock_);
  --recordings_;
}

Cursor LiveSource::Worker::newest() {
  const MutexLock lock(lock_);
  return {end_, false};
}

void LiveSource::Worker::read(Cursor& cursor, std::span<float> samples) {
  const MutexLock lock(lock_);
  const std::uint64_t wanted = samples.size() / wish_.format.channels;
  const std::uint64_t enough = wanted + frames(kCushion);
  longest_ = std::max(longest_, wanted);
  std::uint64_t behind = end_ - cursor.frame;
  if (behind > kept() || behind > wanted + frames(kMost)) {
    behind = std::min(kept(), enough);  // the rest is stale, or gone
  }
  cursor.flowing = cursor.flowing || behind >= enough;
  const std::uint64_t there = cursor.flowing ? std::min(wanted, behind) : 0;
  cursor.flowing = there == wanted;
  const auto first = kept_.end() - static_cast<std::ptrdiff_t>(behind * wish_.format.channels);
  const auto count = static_cast<std::ptrdiff_t>(there * wish_.format.channels);
  std::copy(first, first + count, samples.begin());
  std::fill(samples.begin() + count, samples.end(), 0.0F);
  cursor.frame = end_ - behind + there;
}

void LiveSource::Worker::append(const Wish& wish, std::span<const float> samples) {
  const MutexLock lock(lock_);
  if (wish.number != wish_.number) {
    return;  // who wanted it has ended since, and others want something else
  }
  kept_.insert(kept_.end(), samples.begin(), samples.end());
  end_ += samples.size() / wish_.format.channels;
  if (const std::uint64_t most = 2 * (longest_ + frames(kMost)); kept() > most) {
    kept_.erase(kept_.begin(), kept_.end() - static_cast<std::ptrdiff_t>(most * wish_.format.channels));
  }
}

void LiveSource::Worker::stop() {
  const MutexLock lock(lock_);
  stopping_ = true;
  changed_.notify_all();
}

std::optional<LiveSource::Worker::Wish> LiveSource::Worker::wish() {
  const MutexLock lock(lock_);
  return recordings_ > 0 ? std::optional(wish_) : std::nullopt;
}

void LiveSource::Worker::run() {
  ::pthread_setname_np(::pthread_self(), "source");
  MutexLock lock(lock_);
  while (!stopping_) {
    lock.unlock();
    const Next next = step(std::chrono::steady_clock::now());
    lock.lock();
    if (next && !stopping_) {
      lock.wait_until(changed_, *next);
    } else if (recordings_ == 0 && !stopping_) {
      lock.wait(changed_);
    }
  }
  lock.unlock();
  close();
}

LiveSource::Worker::Next LiveSource::Worker::step(Time now) {
  const auto wanted = wish();
  if (open_for_ && (!wanted || wanted->number != open_for_->number)) {
    close();
  }
  if (!wanted) {
    return {};
  }
  if (!open_for_) {
    return attempts_.due(now) ? connect(now, *wanted) : attempts_.next();
  }
  std::vector<float> samples;
  if (const auto done = input_->read(samples); !done) {
    return failed(now, done.error());
  }
  if (samples.empty()) {
    return now - moved_ > patience_.stall ? failed(now, {ETIMEDOUT, "nothing comes any more"}) : now + kRound;
  }
  moved_ = now;
  if (!std::exchange(working_, true)) {
    attempts_.succeeded(fmt::format("it's recorded, {} Hz and {} channels", got_.rate, got_.channels));
  }
  if (convert_) {
    std::vector<float> converted;
    convert_->process(samples, converted);
    samples.swap(converted);
  }
  append(*open_for_, samples);
  return now + kRound;
}

LiveSource::Worker::Next LiveSource::Worker::connect(Time now, const Wish& wish) {
  const auto got = input_->open(wish.format);
  if (!got) {
    return failed(std::chrono::steady_clock::now(), got.error());
  }
  open_for_ = wish;
  got_ = *got;
  convert_.reset();
  if (got_ != wish.format) {
    convert_.emplace(Converter::Side{got_.rate, got_.channels},
                     Converter::Side{wish.format.rate, wish.format.channels});
  }
  working_ = false;
  moved_ = std::chrono::steady_clock::now();
  return now;
}

LiveSource::Worker::Next LiveSource::Worker::failed(Time now, const Error& error) {
  close();
  attempts_.failed(now, error);
  return attempts_.next();
}

void LiveSource::Worker::close() {
  input_->close();
  open_for_.reset();
}

class LiveSource::LiveRecording final : public Recording {
 public:
  LiveRecording(std::shared_ptr<Worker> worker, const SourceFormat& wanted)
      : worker_(std::move(worker)), format_(worker_->begin(wanted)), cursor_(worker_->newest()) {}
  ~LiveRecording() override { worker_->end(); }

  [[nodiscard]] SourceFormat format() const override { return format_; }
  void read(std::span<float> samples) override { worker_->read(cursor_, samples); }
  void skip() override { cursor_ = worker_->newest(); }

 private:
  std::shared_ptr<Worker> worker_;
  SourceFormat format_;
  Cursor cursor_;
};

LiveSource::LiveSource(const std::string& name, std::unique_ptr<Input> input, const LogSink& log, LivePatience patience)
    : thread_(patience.end),
      worker_(std::make_shared<Worker>(name, std::move(input), thread_.while_here(log), patience)) {
  thread_.start([worker = worker_] { worker->run(); });
}

LiveSource::~LiveSource() {
  worker_->stop();
  thread_.end();
}

Result<std::unique_ptr<Recording>> LiveSource::begin(const SourceFormat& wanted) {
  return std::make_unique<LiveRecording>(worker_, wanted);
}

}  // namespace dmmap::sound
