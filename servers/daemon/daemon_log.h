// The log of a daemon: to stderr, a file or syslog(3).
//
// Promises: a line is whole, and out when the call returns. Thread safety: every call of what is returned, from any
// thread.
#pragma once

#include <dmmap/error.h>
#include <dmmap/log.h>

#include <iosfwd>
#include <memory>
#include <string>

namespace dmmap::daemon {

/// Lines "dmmap sound: TEXT", or what `name` is, on `out`, which must outlive the sink.
[[nodiscard]] LogSink log_to_stream(const std::string& name, std::ostream& out);
/// Lines with date and time, added to `file`. Errors: what the system says of the file.
[[nodiscard]] Result<LogSink> log_to_file(const std::string& name, const std::string& file);
/// To syslog(3), as a daemon of that name.
[[nodiscard]] LogSink log_to_syslog(const std::string& name);

}  // namespace dmmap::daemon
