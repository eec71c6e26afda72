// A CardStatus as JSON, and back.
//
// Promises: what json_of() made, status_of() understands; a program's name that isn't UTF-8 has U+FFFD where it isn't.
// Keys are only ever added. Thread safety: every function, from any thread.
#pragma once

#include <dmmap/error.h>

#include <string>
#include <string_view>

#include "servers/sound/control/status.h"

namespace dmmap::sound {

/// One line, with its newline: {"server": "dmmap sound", "levels": {"master": LEVEL, "pcm": LEVEL, "recording": LEVEL},
/// "streams": [{"number", "program", "pid", "device", "playback": HALF or null, "recording": HALF or null}]}, where
/// LEVEL is {"left", "right", "muted"} and HALF {"format": {"encoding", "rate", "channels"}, "path", "running",
/// "frames", "seconds", "ring_bytes", "fill_bytes", "underruns" (of recording "overruns"), "slips", "level": LEVEL}.
[[nodiscard]] std::string json_of(const CardStatus& status);

/// Keys that it doesn't know are left out. Errors: EPROTO for what isn't a status.
[[nodiscard]] Result<CardStatus> status_of(std::string_view json);

/// `text` with U+FFFD in place of what isn't UTF-8.
[[nodiscard]] std::string valid_utf8(const std::string& text);

}  // namespace dmmap::sound
