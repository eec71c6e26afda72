#include "session/pending_request.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/abi.h"
#include "session/opcode_table.h"
#include "session/out_message.h"

namespace dmmap::detail {

PendingRequest::PendingRequest(std::shared_ptr<session::Core> core, session::Buffer& buffer, std::size_t size)
    : core_(std::move(core)) {
  if (size <= kInline) {
    std::memcpy(inline_.data(), buffer.bytes.get(), size);
    message_ = std::span(inline_).first(size);
  } else {
    buffer_ = std::move(buffer);
    message_ = buffer_.span().first(size);
  }
}

PendingRequest::~PendingRequest() {
  if (buffer_.bytes) {
    core_->release_buffer(std::move(buffer_));
  }
}

bool PendingRequest::claim() {
  const MutexLock lock(lock_);
  callback_ = nullptr;
  return !std::exchange(claimed_, true);
}

Delivery PendingRequest::send(std::int32_t error, const protocol::WireReply* wire, std::string_view text) {
  core_->answered(unique_);
  const std::span<const std::byte> fixed = wire != nullptr ? wire->fixed() : std::span<const std::byte>();
  const std::span<const std::byte> tail = wire != nullptr ? wire->tail : std::span<const std::byte>();
  const session::OutMessage message(-error, unique_, fixed, tail);
  if (core_->trace().on()) {
    core_->trace().reply(session::opcode_name(limits_.opcode), {unique_ & ~protocol::kUniqueResend}, text,
                         std::chrono::steady_clock::now() - arrived_);
  }
  const auto sent = core_->transport().reply({unique_}, message.parts());
  if (sent) {
    return Delivery::taken;
  }
  if (sent.error().code == EINVAL && error == 0) {
    // The kernel refuses what doesn't fit the request: the client must not wait for ever because of that.
    core_->log(LogLevel::error, fmt::format("the kernel refused an answer to {}: {}",
                                            session::opcode_name(limits_.opcode), sent.error().message));
    static_cast<void>(send(EIO, nullptr, "EIO"));
  }
  return Delivery::gone;
}

Delivery PendingRequest::succeed(const protocol::WireReply& wire, const std::function<std::string()>& text) {
  return claim() ? send(0, &wire, core_->trace().on() ? text() : std::string()) : Delivery::gone;
}

Delivery PendingRequest::fail(int code) {
  // fs/fuse/dev.c takes errors of -512 < error <= 0 only.
  const int sane = code > 0 && code < 512 ? code : EIO;
  return claim() ? send(sane, nullptr, fmt::format("{} ({})", ::strerrorname_np(sane), std::strerror(sane)))
                 : Delivery::gone;
}

void PendingRequest::interrupt() {
  std::function<void()> callback;
  {
    const MutexLock lock(lock_);
    if (claimed_) {
      return;
    }
    interrupted_ = true;
    callback = std::exchange(callback_, nullptr);
  }
  if (callback) {
    callback();
  }
}

void PendingRequest::on_interrupt(std::function<void()> callback) {
  {
    const MutexLock lock(lock_);
    if (claimed_) {
      return;
    }
    if (!interrupted_) {
      callback_ = std::move(callback);
      return;
    }
  }
  callback();
}

bool PendingRequest::interrupted() {
  const MutexLock lock(lock_);
  return interrupted_;
}

void PendingRequest::abandon() {
  static_cast<void>(fail(ENOTCONN));
}

}  // namespace dmmap::detail
