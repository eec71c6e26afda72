// The files `status` and `control`, by which a sound server is looked at and told what to do while it runs.
//
// Promises: each open of `status` is one moment, in JSON (json_of()), however it's read. A write(2) to `control` is one
// command a line (parse_commands()): when one isn't a command it fails with EINVAL and nothing is done; otherwise they
// are carried out in their order, up to the first that fails, and the write fails as that one did (ESRCH for a stream
// that isn't there). Thread safety: every call, from any thread.
#pragma once

#include <dmmap/device.h>

#include "servers/sound/control/status.h"

namespace dmmap::sound {

class ControlFile final : public Stream {
 public:
  /// `card` must outlive it.
  explicit ControlFile(CardControl& card) : card_(card) {}
  void read(const ReadRequest& request, Reply<Data> reply) override;
  void write(const WriteRequest& request, Reply<Written> reply) override;

 private:
  CardControl& card_;
};

/// Adds both, `status` for all to read and `control` for the server's user to write. `card` must outlive `filesystem`.
/// Errors: EEXIST.
Result<void> add_control_files(DeviceFilesystem& filesystem, CardControl& card);

}  // namespace dmmap::sound
