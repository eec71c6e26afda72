// Files of a running server, read and shown by the commands about it.
//
// Thread safety: while the program has one thread (cli/patience.h).
#pragma once

#include <dmmap/error.h>

#include <functional>
#include <iosfwd>
#include <string>

namespace dmmap::cli {

/// What `code` of `path` means to who runs `command`, "dmmap sound".
[[nodiscard]] Error cannot(int code, const std::string& path, const std::string& command);

/// The text of a file of a server that `command` started. Errors: those of open(2) and read(2), with what to do;
/// ETIMEDOUT where the server doesn't answer.
[[nodiscard]] Result<std::string> read_served(const std::string& path, const std::string& command);

/// Calls `show` once, or again and again every `seconds` when that isn't 0, on a cleared terminal if `redraw`.
/// Returns show's error, or when `out` can't be written to any more.
Result<void> show_again(double seconds, bool redraw, std::ostream& out, const std::function<Result<void>()>& show);

/// With '?' in place of what isn't printable, which a program's name may have.
[[nodiscard]] std::string printable(std::string text);

}  // namespace dmmap::cli
