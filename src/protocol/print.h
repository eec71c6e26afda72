// A request or a reply as a person wants to read it in a trace: one line, names quoted, flags by name, sizes in bytes.
#pragma once

#include <dmmap/replies.h>
#include <dmmap/requests.h>

#include <string>

namespace dmmap::protocol {

/// Specialised for every struct of requests.h and replies.h. Thread safety: any thread.
template <class T>
[[nodiscard]] std::string describe(const T& value);

}  // namespace dmmap::protocol
