// Work on files of a server that may have stopped answering.
//
// Promises: returns within `patience` of being called, plus moments, whatever the server does; what it leaves behind
// then is one process that holds nothing of this one's, and that ends when the server answers, ends or is aborted.
#pragma once

#include <dmmap/error.h>

#include <chrono>
#include <functional>
#include <string>

namespace dmmap::cli {

/// `work`'s result; ETIMEDOUT, with `path` in its message, when it isn't there after `patience`. The work is done in a
/// child process, so nothing that it changes in memory is seen here. Call it while the program has one thread.
[[nodiscard]] Result<std::string> with_patience(const std::string& path, std::chrono::milliseconds patience,
                                                const std::function<Result<std::string>()>& work);

}  // namespace dmmap::cli
