// SourceCall: one question to a PageSource, from the asking to the answer; what a FaultReply or WritebackReply holds.
//
// Promises: the answer is taken once, whoever gives it and whenever. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/paged_region.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>

#include "mapping/wait_graph.h"

namespace dmmap::detail {

class SourceCall {
 public:
  /// errno(3) or 0, and for a fault what was supplied, from `offset` on.
  using Answer = std::function<void(int code, std::uint64_t offset, std::span<const std::byte> bytes)>;
  using Complain = std::function<void(const std::string&)>;

  SourceCall(Answer answer, Complain complain)
      : answer_(std::move(answer)), complain_(std::move(complain)), holder_(mapping::this_thread()) {}

  /// The first answer counts; another is complained of.
  void answer(int code, std::uint64_t offset, std::span<const std::byte> bytes) {
    if (answered_.exchange(true)) {
      complain_("a page source answered twice: only the first answer counts");
      return;
    }
    holder_.store(0);
    answer_(code, offset, bytes);
    answer_ = nullptr;
  }
  void complain(const std::string& text) const { complain_(text); }

  [[nodiscard]] std::chrono::milliseconds age() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - asked_);
  }
  [[nodiscard]] bool answered() const { return answered_.load(); }
  /// The thread that is to answer, as far as that is known; 0 when it isn't.
  [[nodiscard]] mapping::ThreadId holder() const { return holder_.load(); }
  void held_here() {
    if (!answered_.load()) {
      holder_.store(mapping::this_thread());
    }
  }
  /// The handler has returned: if it has kept the reply, somebody else may come to answer it.
  void handler_returned() {
    mapping::ThreadId self = mapping::this_thread();
    holder_.compare_exchange_strong(self, 0);
  }

 private:
  Answer answer_;
  const Complain complain_;
  const std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  std::atomic<bool> answered_{false};
  std::atomic<mapping::ThreadId> holder_;
};

}  // namespace dmmap::detail
