#include "mount/moody_source.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace dmmap::testing {

namespace {

constexpr std::size_t kPage = 4096;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

MoodySource::MoodySource(std::size_t size) : bytes_(size, '\0') {
  worker_ = std::thread([this] {
    std::unique_lock lock(lock_);
    while (true) {
      changed_.wait(lock, [this] { return ends_ || !jobs_.empty(); });
      if (jobs_.empty()) {
        return;
      }
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      job();
      lock.lock();
    }
  });
}

MoodySource::~MoodySource() {
  {
    const std::lock_guard lock(lock_);
    ends_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void MoodySource::later(std::function<void()> job) {
  const std::lock_guard lock(lock_);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void MoodySource::supply(PageRange wanted, FaultReply& reply) {
  if (supplies_more.load()) {
    wanted = {wanted.first / 4 * 4, (wanted.first + wanted.count + 3) / 4 * 4 - wanted.first / 4 * 4};
  }
  std::string page(wanted.count * kPage, '\0');
  {
    const std::lock_guard lock(lock_);
    const std::size_t begin = std::min(bytes_.size(), wanted.first * kPage);
    bytes_.copy(page.data(), page.size(), begin);
  }
  reply.ok(wanted.first * kPage, bytes_of(std::as_const(page)));
}

void MoodySource::fault(PageRange wanted, FaultReply reply) {
  if (!delays_faults.load()) {
    supply(wanted, reply);
    return;
  }
  // What the source holds now is what it'll say then: the later answer may be an old one.
  std::string page(wanted.count * kPage, '\0');
  {
    const std::lock_guard lock(lock_);
    bytes_.copy(page.data(), page.size(), std::min(bytes_.size(), wanted.first * kPage));
  }
  later([wanted, page = std::move(page), held = std::make_shared<FaultReply>(std::move(reply))] {
    held->ok(wanted.first * kPage, bytes_of(page));
  });
}

void MoodySource::take(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply& reply) {
  if (refuses.load()) {
    reply.error(ENOSPC);
    return;
  }
  {
    const std::lock_guard lock(lock_);
    std::memcpy(bytes_.data() + offset, bytes.data(), bytes.size());
  }
  reply.ok();
}

void MoodySource::writeback(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) {
  if (!delays_writebacks.load()) {
    take(offset, bytes, reply);
    return;
  }
  later(
      [this, offset, bytes, held = std::make_shared<WritebackReply>(std::move(reply))] { take(offset, bytes, *held); });
}

void MoodySource::discarded(PageRange pages) {
  const std::lock_guard lock(lock_);
  const std::size_t begin = std::min(bytes_.size(), pages.first * kPage);
  const std::size_t end = std::min(bytes_.size(), (pages.first + pages.count) * kPage);
  std::memset(bytes_.data() + begin, 0, end - begin);
}

void MoodySource::resized(std::uint64_t size) {
  const std::lock_guard lock(lock_);
  if (size < bytes_.size()) {
    std::memset(bytes_.data() + size, 0, bytes_.size() - size);
  }
}

void MoodySource::good_mood() {
  delays_faults = false;
  supplies_more = false;
  delays_writebacks = false;
  refuses = false;
}

std::string MoodySource::text(std::size_t size) const {
  const std::lock_guard lock(lock_);
  return bytes_.substr(0, size);
}

void MoodySource::clear() {
  const std::lock_guard lock(lock_);
  std::fill(bytes_.begin(), bytes_.end(), '\0');
}

}  // namespace dmmap::testing
