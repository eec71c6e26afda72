// PicturePool: pictures whose buffers are used again when nobody holds them any more.
//
// A fresh buffer of a big picture costs a page fault for each 4 KiB, more than is drawn into it.
//
// Promises: a picture that was taken is nobody else's until its last holder lets go of it; it has then what was drawn
// last. Pictures may outlive the pool. Thread safety: one thread at a time; a picture is let go of in any.
#pragma once

#include <dmmap/thread_safety.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "servers/camera/picture/av.h"

namespace dmmap::camera {

class PicturePool {
 public:
  explicit PicturePool(std::function<NewPicture()> make) : make_(std::move(make)) {}

  [[nodiscard]] NewPicture take() {
    NewPicture picture = kept_->take();
    if (!picture) {
      picture = make_();
    }
    AVFrame* const frame = picture.get();
    return {frame, [kept = kept_, picture = std::move(picture)](AVFrame*) mutable { kept->give(std::move(picture)); }};
  }
  /// Frees what nobody holds now, and the rest as soon as nobody does.
  void forget() { kept_ = std::make_shared<Kept>(); }

 private:
  class Kept {
   public:
    NewPicture take() DMMAP_EXCLUDES(lock_) {
      const MutexLock lock(lock_);
      if (free_.empty()) {
        return nullptr;
      }
      NewPicture picture = std::move(free_.back());
      free_.pop_back();
      return picture;
    }
    void give(NewPicture picture) DMMAP_EXCLUDES(lock_) {
      constexpr std::size_t kMost = 4;
      const MutexLock lock(lock_);
      if (free_.size() < kMost) {
        free_.push_back(std::move(picture));
      }
    }

   private:
    Mutex lock_;
    std::vector<NewPicture> free_ DMMAP_GUARDED_BY(lock_);
  };

  std::function<NewPicture()> make_;
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

}  // namespace dmmap::camera
