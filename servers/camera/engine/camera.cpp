#include "servers/camera/engine/camera.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "servers/camera/engine/adjust.h"
#include "servers/camera/picture/av.h"

namespace dmmap::camera {

Camera::Camera(std::string name, std::unique_ptr<Source> source, LogSink log)
    : name_(std::move(name)), source_(std::move(source)), log_(std::move(log)) {}

Camera::~Camera() {
  stop();
}

CameraCounts Camera::counts() const {
  const MutexLock lock(lock_);
  return counts_;
}

void Camera::start() {
  thread_ = std::thread([this] { run(); });
}

void Camera::stop() {
  if (!thread_.joinable()) {
    return;
  }
  {
    const MutexLock lock(lock_);
    stopping_ = true;
  }
  changed_.notify_all();
  source_->interrupt();
  thread_.join();
}

void Camera::add(std::shared_ptr<Consumer> consumer) {
  {
    const MutexLock lock(lock_);
    if (std::find(consumers_.begin(), consumers_.end(), consumer) == consumers_.end()) {
      if (consumers_.empty()) {
        source_->watched(true);
      }
      consumers_.push_back(std::move(consumer));
    }
  }
  changed_.notify_all();
}

void Camera::remove(const Consumer& consumer) {
  std::shared_ptr<Consumer> removed;  // let go of where the lock isn't held
  bool last = false;
  {
    const MutexLock lock(lock_);
    const auto found = std::find_if(consumers_.begin(), consumers_.end(),
                                    [&](const std::shared_ptr<Consumer>& each) { return each.get() == &consumer; });
    if (found != consumers_.end()) {
      removed = std::move(*found);
      consumers_.erase(found);
      last = consumers_.empty();
      if (last) {
        source_->watched(false);
      }
    }
  }
  if (last) {
    source_->interrupt();
  }
}

bool Camera::looked_at() const {
  const MutexLock lock(lock_);
  return !consumers_.empty() && !stopping_;
}

std::vector<std::shared_ptr<Consumer>> Camera::consumers() const {
  const MutexLock lock(lock_);
  return consumers_;
}

void Camera::run() {
  ::prctl(PR_SET_NAME, "camera");
  for (;;) {
    {
      MutexLock lock(lock_);
      while (consumers_.empty() && !stopping_) {
        lock.wait(changed_);
      }
      if (stopping_) {
        return;
      }
      counts_.running = true;
    }
    source_->begin();
    take_pictures();
    source_->end();
    const MutexLock lock(lock_);
    counts_.running = false;
  }
}

void Camera::take_pictures() {
  std::uint64_t expected = 0;
  while (looked_at()) {
    const auto shot = source_->next();
    if (!shot) {
      // Interrupted for the last one that left; if another has come since, it's begun anew.
      if (shot.error().code != ECANCELED) {
        failed(shot.error());
      }
      return;
    }
    {
      const MutexLock lock(lock_);
      ++counts_.pictures;
      counts_.left_out += shot->number - expected;
    }
    expected = shot->number + 1;
    give(*shot);
  }
}

bool Camera::is_news(const Error& error) {
  return std::exchange(last_failure_, error.message) != error.message;
}

void Camera::failed(const Error& error) {
  if (error.code == ENODATA) {
    log_(LogLevel::info, fmt::format("{}: there are no more pictures", name_));
  } else if (is_news(error)) {
    log_(LogLevel::error, fmt::format("{}: no more pictures: {}", name_, error.message));
  }
  std::vector<std::shared_ptr<Consumer>> all;
  {
    const MutexLock lock(lock_);
    all = std::exchange(consumers_, {});
    source_->watched(false);
  }
  for (const auto& each : all) {
    each->ended();
  }
}

void Camera::give(const Shot& shot) {
  std::vector<Work> work;
  for (auto& each : consumers()) {
    if (auto target = each->claim(shot.time)) {
      work.push_back({std::move(each), std::move(*target)});
    }
  }
  if (work.empty()) {
    return;
  }
  const Adjustments adjustments = controls_.adjustments();
  converter_.set_jpeg_quality(adjustments.jpeg_quality);
  auto picture = adjusted(shot.picture, adjustments, converter_);
  if (!picture) {
    log_(LogLevel::warning, fmt::format("{}: {}", name_, picture.error().message));
    picture = shot.picture;
  }
  const Shot shown{*picture, shot.time, shot.number};
  for (Work& first : work) {
    if (first.done) {
      continue;
    }
    std::vector<Work*> alike;
    for (Work& each : work) {
      if (!each.done && each.target.layout == first.target.layout) {
        alike.push_back(&each);
        each.done = true;
      }
    }
    fill_alike(shown, alike);
  }
}

namespace {

Result<std::size_t> copy_to(const Target& target, std::span<const std::byte> bytes) {
  if (!target.region) {
    std::copy(bytes.begin(), bytes.end(), target.bytes.begin());
  } else if (auto written = target.region->write(target.offset, bytes); !written) {
    return tl::unexpected(written.error());
  }
  return bytes.size();
}

}  // namespace

void Camera::fill_alike(const Shot& shot, std::vector<Work*>& alike) {
  const Layout& layout = alike.front()->target.layout;
  const bool native = Converter::is_native(*shot.picture, layout);
  std::optional<Result<std::size_t>> made;  // in scratch_, once for all
  const auto from_scratch = [&](const Target& target) {
    if (!made) {
      scratch_.resize(layout.bytes());
      made = converter_.convert(*shot.picture, layout, scratch_);
    }
    return made->and_then(
        [&](std::size_t bytes) { return copy_to(target, std::span<const std::byte>(scratch_).first(bytes)); });
  };
  for (Work* const each : alike) {
    const Target& target = each->target;
    const bool in_place = !target.bytes.empty() && (native || alike.size() == 1);
    const auto filled = in_place ? converter_.convert(*shot.picture, layout, target.bytes) : from_scratch(target);
    if (!filled && is_news(filled.error())) {
      log_(LogLevel::warning, fmt::format("{}: {}", name_, filled.error().message));
    }
    each->consumer->filled(filled ? std::optional(*filled) : std::nullopt, shot.time);
  }
}

}  // namespace dmmap::camera
