// The answer to one request, to be given exactly once.
//
// Promises: a Reply can be kept, moved between threads and answered from any of them, at once or much later. One that
// is dropped unanswered answers EIO and says so in the log. Answering after the mount is gone is harmless.
// Thread safety: one Reply belongs to one thread at a time; different Replies are independent.
#pragma once

#include <dmmap/replies.h>

#include <functional>
#include <memory>

namespace dmmap {

namespace detail {
class PendingRequest;
struct ReplyParts;
}  // namespace detail

/// Whether an answer reached the kernel. `gone`: the request was given up (the connection was aborted or unmounted),
/// so whatever the answer handed out (a lookup, a handle) was not taken and will never be forgotten or released.
enum class Delivery { taken, gone };

/// What Replies of all types have in common.
class ReplyBase {
 public:
  ReplyBase(ReplyBase&&) noexcept = default;
  ReplyBase& operator=(ReplyBase&&) noexcept;
  ReplyBase(const ReplyBase&) = delete;
  ReplyBase& operator=(const ReplyBase&) = delete;
  ~ReplyBase();

  /// Fails the request with errno(3) value `code` (1 to 511; others become EIO).
  /// REQUIRES: not yet answered.
  Delivery error(int code);

  /// False once answered or moved from.
  [[nodiscard]] bool pending() const noexcept { return pending_ != nullptr; }

  /// Calls `callback` once when the client that waits gets a signal (FUSE_INTERRUPT): from a thread of the session, or
  /// at once from this one when it already has. The request is still to be answered, usually with EINTR. The callback
  /// can run while another thread is answering: keep the Reply behind a lock of your own and look whether it's still
  /// pending. Not called after the answer.
  void on_interrupt(std::function<void()> callback);

  /// Whether the client that waits has got a signal.
  [[nodiscard]] bool interrupted() const;

  explicit ReplyBase(std::shared_ptr<detail::PendingRequest> pending) noexcept;

 protected:
  friend struct detail::ReplyParts;
  std::shared_ptr<detail::PendingRequest> pending_;
};

/// The answer to one request whose good outcome is a T.
template <class T>
class Reply : public ReplyBase {
 public:
  using ReplyBase::ReplyBase;

  /// Answers with `value`. A value that is longer than the request allows is a defect of the server: it is logged and
  /// answered with EIO.
  /// REQUIRES: not yet answered.
  Delivery ok(const T& value);
};

}  // namespace dmmap
