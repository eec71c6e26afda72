#include "transport/scripted.h"

#include <cerrno>
#include <cstring>

namespace dmmap::transport {

namespace {

Scripted::Message join(std::span<const iovec> parts) {
  Scripted::Message whole;
  for (const iovec& part : parts) {
    const auto* bytes = static_cast<const std::byte*>(part.iov_base);
    whole.insert(whole.end(), bytes, bytes + part.iov_len);
  }
  return whole;
}

}  // namespace

void Scripted::push(Message request) {
  const std::lock_guard lock(lock_);
  requests_.push_back(std::move(request));
  changed_.notify_all();
}

std::optional<Scripted::Message> Scripted::wait_reply(RequestId request, std::chrono::milliseconds patience) {
  std::unique_lock lock(lock_);
  if (!changed_.wait_for(lock, patience, [&] { return replies_.contains(request.value); })) {
    return std::nullopt;
  }
  return std::move(replies_.extract(replies_.find(request.value)).mapped());
}

std::optional<Scripted::Message> Scripted::wait_notification(std::chrono::milliseconds patience) {
  std::unique_lock lock(lock_);
  if (!changed_.wait_for(lock, patience, [&] { return !notifications_.empty(); })) {
    return std::nullopt;
  }
  Message first = std::move(notifications_.front());
  notifications_.pop_front();
  return first;
}

void Scripted::end() {
  const std::lock_guard lock(lock_);
  ended_ = true;
  changed_.notify_all();
}

void Scripted::fail_replies(int code) {
  const std::lock_guard lock(lock_);
  reply_error_ = code;
}

void Scripted::on_notify(std::function<Result<void>(const Message&)> hook) {
  const std::lock_guard lock(lock_);
  notify_hook_ = std::move(hook);
}

std::size_t Scripted::open_backings() const {
  const std::lock_guard lock(lock_);
  return backings_.size();
}

Result<std::size_t> Scripted::receive(std::span<std::byte> buffer) {
  std::unique_lock lock(lock_);
  changed_.wait(lock, [&] { return ended_ || !requests_.empty(); });
  if (requests_.empty()) {
    return std::size_t{0};
  }
  const Message request = std::move(requests_.front());
  requests_.pop_front();
  if (request.size() > buffer.size()) {
    return fail(EINVAL, "the request is larger than the buffer");
  }
  std::memcpy(buffer.data(), request.data(), request.size());
  return request.size();
}

Result<void> Scripted::reply(RequestId request, std::span<const iovec> message) {
  const std::lock_guard lock(lock_);
  if (ended_ || reply_error_ != 0) {
    return fail_errno(ended_ ? ENODEV : reply_error_, "reply");
  }
  replies_.emplace(request.value, join(message));
  changed_.notify_all();
  return {};
}

Result<void> Scripted::notify(std::span<const iovec> message) {
  const Message whole = join(message);
  std::unique_lock lock(lock_);
  if (ended_) {
    return fail_errno(ENODEV, "notify");
  }
  Result<void> outcome;
  if (const auto hook = notify_hook_) {
    lock.unlock();  // it may wait for a reply
    outcome = hook(whole);
    lock.lock();
  }
  notifications_.push_back(whole);
  changed_.notify_all();
  return outcome;
}

Result<std::int32_t> Scripted::open_backing(int fd) {
  const std::lock_guard lock(lock_);
  backings_.emplace(next_backing_, fd);
  return next_backing_++;
}

void Scripted::close_backing(std::int32_t number) {
  const std::lock_guard lock(lock_);
  backings_.erase(number);
}

void Scripted::interrupt_receivers() {
  end();
}

void Scripted::close() {
  end();
}

}  // namespace dmmap::transport
