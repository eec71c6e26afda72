// PatternSource: a Pattern at a steady rate.
//
// Promises: as Source's; the number of a Shot is the one in its picture. Thread safety: as Source's.
#pragma once

#include "servers/camera/sources/pattern.h"
#include "servers/camera/sources/source.h"
#include "servers/camera/sources/ticker.h"

namespace dmmap::camera {

class PatternSource final : public Source {
 public:
  /// 1280 by 720, 30 a second, where nothing else is wished. REQUIRES: a size within the limits; a sensible() rate.
  explicit PatternSource(const SourceWish& wish);

  [[nodiscard]] About about() const override { return about_; }
  void begin() override { ticker_.begin(about_.rate); }
  Result<Shot> next() override;
  void end() override { pattern_.forget(); }
  void interrupt() override { ticker_.interrupt(); }

 private:
  const About about_;
  Pattern pattern_;
  Ticker ticker_;
};

}  // namespace dmmap::camera
