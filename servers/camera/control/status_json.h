// A CameraStatus as JSON, and back.
//
// Promises: what json_of() made, status_of() understands; a program's name that isn't UTF-8 has U+FFFD where it isn't.
// Keys are only ever added. Thread safety: every function, from any thread.
#pragma once

#include <dmmap/error.h>

#include <string>
#include <string_view>

#include "servers/camera/control/status.h"

namespace dmmap::camera {

/// One line, with its newline: {"server": "dmmap camera", "devices": [{"device", "card", "width", "height", "rate",
/// "running", "pictures", "left_out"}], "streams": [{"number", "program", "pid", "device", "state", "path", "format",
/// "width", "height", "rate", "buffers", "queued", "pictures", "dropped", "latency_mean_ms", "latency_most_ms"}]}.
[[nodiscard]] std::string json_of(const CameraStatus& status);

/// Keys that it doesn't know are left out. Errors: EPROTO for what isn't a status.
[[nodiscard]] Result<CameraStatus> status_of(std::string_view json);

}  // namespace dmmap::camera
