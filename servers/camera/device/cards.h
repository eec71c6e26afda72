// Cards: the cameras of one server, made of what is asked for.
//
// Promises: nothing of a source is read before somebody looks, but for what has to be known of it. Thread safety: of
// one thread; what all() gives, from any.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "servers/camera/device/card.h"
#include "servers/camera/sources/source.h"

namespace dmmap::camera {

struct CardWish {
  SourceChoice source;
  std::optional<Size> size;
  std::optional<Rate> rate;
  std::string name;  ///< as programs are told it
};

class Cards {
 public:
  /// `video0` and on, in their order. Errors: those of open_source().
  [[nodiscard]] static Result<std::unique_ptr<Cards>> make(const std::vector<CardWish>& wishes, const LogSink& log);
  Cards(const Cards&) = delete;
  Cards& operator=(const Cards&) = delete;
  ~Cards();

  void start();
  void stop();
  [[nodiscard]] std::vector<Card*> all() const;

 private:
  Cards() = default;
  struct Owned;
  std::vector<std::unique_ptr<Owned>> owned_;
};

}  // namespace dmmap::camera
