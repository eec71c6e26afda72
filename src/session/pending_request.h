// PendingRequest: one request from its arrival to its answer; what a Reply holds.
//
// Promises: owns the message, so that what a handler was given stays good until the answer; is answered once.
// Invariants: 1. while unanswered it's in the core's table, where INTERRUPT finds it; 2. the callback is called at most
// once, and never after the answer was begun.
#pragma once

#include <dmmap/reply.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/encode.h"
#include "session/core.h"

namespace dmmap::detail {

/// Thread safety: interrupt() and abandon() from any thread at any time; the rest from the Reply's.
class PendingRequest {
 public:
  /// Takes `message` over: copies it when it's short, keeps `buffer` itself when it's long.
  PendingRequest(std::shared_ptr<session::Core> core, session::Buffer& buffer, std::size_t size);
  PendingRequest(const PendingRequest&) = delete;
  PendingRequest& operator=(const PendingRequest&) = delete;
  ~PendingRequest();

  [[nodiscard]] std::span<const std::byte> message() const { return message_; }
  [[nodiscard]] session::Core& core() const { return *core_; }
  [[nodiscard]] const protocol::ReplyLimits& limits() const { return limits_; }
  /// `unique` is the request's name as it came, resend bit included: the answer must carry it so.
  void identify(std::uint64_t unique, const protocol::ReplyLimits& limits) {
    unique_ = unique;
    limits_ = limits;
  }
  [[nodiscard]] std::uint64_t unique() const { return unique_; }
  /// The request is a LOOKUP of this node, which its attributes answer.
  void look_up(NodeId node) { looked_up_ = node; }
  [[nodiscard]] std::optional<NodeId> looked_up() const { return looked_up_; }
  void limit(std::uint32_t size) { limits_.size = size; }

  /// Sends the answer. `text` makes the trace's line, when there is one.
  Delivery succeed(const protocol::WireReply& wire, const std::function<std::string()>& text);
  Delivery fail(int code);

  void interrupt();
  void on_interrupt(std::function<void()> callback);
  [[nodiscard]] bool interrupted();
  /// The session ends: the client gets ENOTCONN, and the answer that may still come goes nowhere.
  void abandon();

 private:
  Delivery send(std::int32_t error, const protocol::WireReply* wire, std::string_view text);
  /// True for the one caller that may answer.
  bool claim();

  static constexpr std::size_t kInline = 512;

  const std::shared_ptr<session::Core> core_;
  std::array<std::byte, kInline> inline_{};
  session::Buffer buffer_;
  std::span<const std::byte> message_;
  std::uint64_t unique_ = 0;
  protocol::ReplyLimits limits_;
  std::optional<NodeId> looked_up_;
  const std::chrono::steady_clock::time_point arrived_ = std::chrono::steady_clock::now();

  Mutex lock_;
  bool claimed_ DMMAP_GUARDED_BY(lock_) = false;
  bool interrupted_ DMMAP_GUARDED_BY(lock_) = false;
  std::function<void()> callback_ DMMAP_GUARDED_BY(lock_);
};

/// Takes a Reply apart.
struct ReplyParts {
  static std::shared_ptr<PendingRequest> take(ReplyBase& reply) { return std::move(reply.pending_); }
};

}  // namespace dmmap::detail
