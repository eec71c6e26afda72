// Metrics: the card's status for Prometheus, at http://ADDRESS:PORT/metrics.
//
// Promises: each request is answered with one moment, in Prometheus's text format; a slow or silent peer is let go
// after a few seconds and holds up neither the device nor the end. What has a "stream" label is of a stream that is
// open; totals go on when it's closed. Thread safety: one thread at a time.
#pragma once

#include <dmmap/error.h>

#include <memory>
#include <string>

#include "servers/sound/control/status.h"

namespace prometheus {
class Exposer;
}

namespace dmmap::sound {

class Metrics {
 public:
  /// `where`: "127.0.0.1:9464", "[::1]:9464"; port 0 is any that is free. `card` outlives it.
  /// Errors: EINVAL for what is no address; what bind(2) says, EADDRINUSE and EACCES among it.
  [[nodiscard]] static Result<std::unique_ptr<Metrics>> serve(const std::string& where, const CardControl& card);
  ~Metrics();

  /// "http://127.0.0.1:9464/metrics".
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  class Card;
  Metrics();
  std::shared_ptr<Card> card_;
  std::unique_ptr<prometheus::Exposer> exposer_;  // has only a weak pointer to card_
  std::string url_;
};

/// Errors: EINVAL when `where` is no numeric address with a port.
[[nodiscard]] Result<void> check_metrics_address(const std::string& where);

}  // namespace dmmap::sound
