// Scripted: a transport that plays the kernel, for tests. The test pushes requests and looks at what comes back.
//
// Promises: keeps order; wait calls give up after the time they are given. Thread safety: every call, from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "transport/transport.h"

namespace dmmap::transport {

class Scripted final : public Transport {
 public:
  using Message = std::vector<std::byte>;

  // The test's side.
  void push(Message request);
  /// The whole answer to `request`, header included.
  [[nodiscard]] std::optional<Message> wait_reply(RequestId request, std::chrono::milliseconds patience);
  [[nodiscard]] std::optional<Message> wait_notification(std::chrono::milliseconds patience);
  /// No request will come any more, as after umount(8).
  void end();
  /// From now on answers meet this error, as when the request was given up.
  void fail_replies(int code);
  /// Called with each notification before it's taken; may wait, as the kernel does.
  void on_notify(std::function<Result<void>(const Message&)> hook);
  [[nodiscard]] std::size_t open_backings() const;

  // The server's side.
  Result<std::size_t> receive(std::span<std::byte> buffer) override;
  Result<void> reply(RequestId request, std::span<const iovec> message) override;
  Result<void> notify(std::span<const iovec> message) override;
  Result<std::int32_t> open_backing(int fd) override;
  Result<UniqueFd> open_nodes() override { return fail(ENOTTY, "a scripted kernel has no nodes"); }
  void close_backing(std::int32_t number) override;
  void interrupt_receivers() override;
  void close() override;

 private:
  mutable std::mutex lock_;
  std::condition_variable changed_;
  std::deque<Message> requests_;
  std::multimap<std::uint64_t, Message> replies_;
  std::deque<Message> notifications_;
  std::function<Result<void>(const Message&)> notify_hook_;
  std::map<std::int32_t, int> backings_;
  std::int32_t next_backing_ = 1;
  int reply_error_ = 0;
  bool ended_ = false;
};

}  // namespace dmmap::transport
