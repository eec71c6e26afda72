// Where the library's own lines go.
#pragma once

#include <dmmap/session.h>

#include <string>

namespace dmmap::session {

/// Writes "dmmap: LEVEL: text" to stderr; what SessionOptions::log is when none is given.
void log_to_stderr(LogLevel level, const std::string& text);

}  // namespace dmmap::session
