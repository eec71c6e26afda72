#include "servers/sound/mix/engine.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

namespace dmmap::sound {

namespace {

constexpr Nanoseconds kPeriod = std::chrono::milliseconds(20);

}  // namespace

Engine::Engine(const Clock& clock, std::unique_ptr<Mixer> mixer) : clock_(clock), mixer_(std::move(mixer)) {}

Engine::~Engine() {
  stop();
}

void Engine::add(std::shared_ptr<EngineStream> stream) {
  const MutexLock lock(lock_);
  streams_.push_back({next_number_++, std::move(stream)});
}

void Engine::kick() {
  {
    const MutexLock lock(lock_);
    kicked_ = true;
  }
  changed_.notify_one();
}

void Engine::sync() {
  {
    const MutexLock lock(lock_);
    sync_wanted_ = kicked_ = true;
  }
  changed_.notify_one();
}

void Engine::start() {
  mixer_->begin();
  thread_ = std::thread([this] { run(); });
}

void Engine::stop() {
  if (!thread_.joinable()) {
    return;
  }
  {
    const MutexLock lock(lock_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  const std::vector<Playing> playing = streams();
  for (const Playing& each : playing) {
    each.stream->end();
  }
  mix(clock_.now(), playing);
  mixer_->finish();
}

std::vector<Engine::Playing> Engine::streams() const {
  const MutexLock lock(lock_);
  return streams_;
}

std::optional<Time> Engine::step(Time now) {
  const std::vector<Playing> playing = streams();
  // Clients first: the mix may take its time.
  for (const Playing& each : playing) {
    if (const auto due = each.stream->deadline(); due && *due <= now) {
      each.stream->advance();
    }
  }
  if (next_mix_ && *next_mix_ <= now) {
    mix(now, playing);
  }
  std::optional<Time> next;
  bool busy = false;
  for (const Playing& each : playing) {
    const auto due = each.stream->deadline();
    busy = busy || due || each.stream->finished();
    next = due && (!next || *due < *next) ? due : next;
  }
  // After the last stream has stopped there is what it played to be mixed: mix() looks whether that was all.
  if (busy && !next_mix_) {
    next_mix_ = now + kPeriod;
  }
  if (next_mix_ && (!next || *next_mix_ < *next)) {
    next = next_mix_;
  }
  return next;
}

void Engine::mix(Time now, const std::vector<Playing>& playing) {
  std::vector<Part> parts;
  std::vector<std::uint64_t> finished;
  for (const Playing& each : playing) {
    each.stream->advance();
    // Asked before take(), so that nothing is played after.
    if (each.stream->finished()) {
      finished.push_back(each.number);
    }
    if (auto chunks = each.stream->take(); !chunks.empty()) {
      parts.push_back({each.number, std::move(chunks), each.stream->gain()});
    }
  }
  next_mix_ = parts.empty() ? std::nullopt : std::optional(std::max(next_mix_.value_or(now) + kPeriod, now));
  mixer_->mix(now, parts);
  if (!finished.empty()) {
    const MutexLock lock(lock_);
    std::erase_if(streams_, [&](const Playing& each) {
      return std::find(finished.begin(), finished.end(), each.number) != finished.end();
    });
  }
}

void Engine::run() {
  ::pthread_setname_np(::pthread_self(), "sound");
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // wake as exactly as the machine can
  MutexLock lock(lock_);
  while (!stopping_) {
    kicked_ = false;
    const bool sync = std::exchange(sync_wanted_, false);
    lock.unlock();
    if (sync) {
      mixer_->sync();
    }
    const auto next = step(clock_.now());
    lock.lock();
    bool due = false;
    while (!kicked_ && !stopping_ && !due) {
      if (next) {
        due = lock.wait_until(changed_, *next) == std::cv_status::timeout;
      } else {
        lock.wait(changed_);
      }
    }
  }
}

}  // namespace dmmap::sound
