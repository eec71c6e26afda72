// What a log was told.
#pragma once

#include <dmmap/log.h>

#include <memory>
#include <mutex>
#include <string>

namespace dmmap::camera {

class Lines {
 public:
  [[nodiscard]] LogSink sink() const {
    return [state = state_](LogLevel /*level*/, const std::string& text) {
      const std::lock_guard lock(state->lock);
      state->text += text + "\n";
    };
  }
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(state_->lock);
    return state_->text;
  }

 private:
  struct State {
    std::mutex lock;
    std::string text;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace dmmap::camera
