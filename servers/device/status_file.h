// A file by which a running server is looked at: each open of it is one moment.
//
// Promises: what is read is of one moment, however it's read. Thread safety: as DeviceFilesystem; `text` is called from
// any thread of the session.
#pragma once

#include <dmmap/device.h>

#include <functional>
#include <string>

namespace dmmap::device {

/// Adds `status`, for all to read, whose text is what `text` returns when it's opened. Errors: EEXIST.
Result<void> add_status_file(DeviceFilesystem& filesystem, std::function<std::string()> text);

}  // namespace dmmap::device
