#include "servers/camera/sources/pattern_source.h"

#include <chrono>

namespace dmmap::camera {

namespace {

constexpr Size kUsual{1280, 720};

About about(const SourceWish& wish) {
  const Size size = wish.size.value_or(kUsual);
  // An odd width isn't one that V4L2's YUYV has.
  const PixelFormat* const yuyv = find_pixel_format("YUYV");
  return {size, wish.rate.value_or(Rate()), fitting(*yuyv, size) == size ? yuyv : nullptr};
}

}  // namespace

PatternSource::PatternSource(const SourceWish& wish) : about_(camera::about(wish)), pattern_(about_.size, wish.name) {}

Result<Shot> PatternSource::next() {
  const auto tick = ticker_.next();
  if (!tick) {
    return tl::unexpected(tick.error());
  }
  using Wall = std::chrono::system_clock;
  const auto ago = std::chrono::duration_cast<Wall::duration>(Clock::now() - tick->time);
  return Shot{pattern_.draw(tick->number, Wall::now() - ago), tick->time, tick->number};
}

}  // namespace dmmap::camera
