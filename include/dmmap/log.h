// Where the library's own lines go: what a server's operator should know, and defects.
//
// Promises: a line is whole and has no newline.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace dmmap {

enum class LogLevel : std::uint8_t { info, warning, error };

/// Called from any thread.
using LogSink = std::function<void(LogLevel, const std::string&)>;

}  // namespace dmmap
