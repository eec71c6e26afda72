// Camera: takes pictures of a source and gives them to all who look.
//
// One thread waits for the source's next picture and puts it into a buffer of each consumer, converted once for all who
// want it the same way. With nobody looking it sleeps, and so does the source.
//
// Promises: a consumer that has no room misses that picture, alone. One that was removed may still be called with the
// picture that's under way. Thread safety: every call, from any thread; start and stop from one.
#pragma once

#include <dmmap/log.h>
#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "servers/camera/engine/consumer.h"
#include "servers/camera/engine/controls.h"
#include "servers/camera/picture/converter.h"
#include "servers/camera/sources/source.h"

namespace dmmap::camera {

struct CameraCounts {
  std::uint64_t pictures = 0;  ///< that the source has given
  std::uint64_t left_out = 0;  ///< that it left out, since it was asked too late
  bool running = false;
};

class Camera {
 public:
  /// `name` is what the log calls it.
  Camera(std::string name, std::unique_ptr<Source> source, LogSink log);
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;
  ~Camera();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] About about() const { return source_->about(); }
  [[nodiscard]] Controls& controls() { return controls_; }
  [[nodiscard]] CameraCounts counts() const DMMAP_EXCLUDES(lock_);

  void start();
  void stop();

  void add(std::shared_ptr<Consumer> consumer) DMMAP_EXCLUDES(lock_);
  void remove(const Consumer& consumer) DMMAP_EXCLUDES(lock_);

 private:
  struct Work {
    std::shared_ptr<Consumer> consumer;
    Target target;
    bool done = false;
  };
  void run();
  void take_pictures();
  void give(const Shot& shot);
  void fill_alike(const Shot& shot, std::vector<Work*>& alike);
  [[nodiscard]] bool looked_at() const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::vector<std::shared_ptr<Consumer>> consumers() const DMMAP_EXCLUDES(lock_);
  /// Whether the log hasn't been told just now.
  bool is_news(const Error& error);
  void failed(const Error& error);

  const std::string name_;
  const std::unique_ptr<Source> source_;
  const LogSink log_;
  Controls controls_;

  // The thread's own.
  Converter converter_;
  std::vector<std::byte> scratch_;
  std::string last_failure_;

  mutable Mutex lock_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Consumer>> consumers_ DMMAP_GUARDED_BY(lock_);
  CameraCounts counts_ DMMAP_GUARDED_BY(lock_);
  bool stopping_ DMMAP_GUARDED_BY(lock_) = false;
  std::thread thread_;
};

}  // namespace dmmap::camera
