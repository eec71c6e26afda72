// PlayedKernel: a session over the scripted transport, with a kernel that the test plays.
//
// Promises: ended with the object. Thread safety: one thread.
#pragma once

#include <dmmap/session.h>

#include <linux/fuse.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "protocol/message.h"
#include "session/connection_impl.h"
#include "session/core.h"
#include "transport/scripted.h"

namespace dmmap::session {

inline constexpr std::chrono::seconds kPatience{10};
using protocol::Message;

struct Answer {
  fuse_out_header header{};
  std::vector<std::byte> body;
  template <class Wire>
  [[nodiscard]] Wire as() const {
    Wire wire{};
    std::memcpy(&wire, body.data(), std::min(sizeof wire, body.size()));
    return wire;
  }
};

class PlayedKernel {
 public:
  explicit PlayedKernel(Filesystem& filesystem, std::uint32_t minor = 45, SessionOptions options = {}) {
    options.log = [this](LogLevel, const std::string& text) {
      const std::lock_guard lock(log_lock_);
      log_ += text + "\n";
    };
    auto transport = std::make_unique<transport::Scripted>();
    scripted_ = transport.get();
    core_ = std::make_shared<Core>(filesystem, std::move(options), std::move(transport));
    fuse_init_in init{};
    init.major = 7;
    init.minor = minor;
    init.max_readahead = 131072;
    init.flags = ~0U;
    init.flags2 = ~0U;
    scripted_->push(Message(FUSE_INIT, 0).unique(2).add(init).done());
    begun_ = core_->begin();
    if (begun_) {
      core_->start();
    }
  }
  PlayedKernel(const PlayedKernel&) = delete;
  PlayedKernel& operator=(const PlayedKernel&) = delete;
  ~PlayedKernel() { finish(); }

  void finish() {
    if (begun_ && !finished_) {
      finished_ = true;
      core_->finish();
    }
  }

  [[nodiscard]] const Result<void>& begun() const { return begun_; }
  [[nodiscard]] transport::Scripted& scripted() { return *scripted_; }
  [[nodiscard]] Core& core() { return *core_; }
  [[nodiscard]] std::string log() {
    const std::lock_guard lock(log_lock_);
    return log_;
  }

  void send(const Message& message) { scripted_->push(message.done()); }
  [[nodiscard]] std::optional<Answer> answer(std::uint64_t unique, std::chrono::milliseconds patience = kPatience) {
    const auto bytes = scripted_->wait_reply({unique}, patience);
    return bytes ? std::optional(parse(*bytes)) : std::nullopt;
  }
  [[nodiscard]] std::optional<Answer> notification() {
    const auto bytes = scripted_->wait_notification(kPatience);
    return bytes ? std::optional(parse(*bytes)) : std::nullopt;
  }

 private:
  static Answer parse(const std::vector<std::byte>& bytes) {
    Answer answer;
    std::memcpy(&answer.header, bytes.data(), sizeof answer.header);
    answer.body.assign(bytes.begin() + sizeof answer.header, bytes.end());
    return answer;
  }

  std::mutex log_lock_;
  std::string log_;
  transport::Scripted* scripted_ = nullptr;
  std::shared_ptr<Core> core_;
  Result<void> begun_;
  bool finished_ = false;
};

}  // namespace dmmap::session
