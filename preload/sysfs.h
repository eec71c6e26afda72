// What sysfs would say of a device that a file stands for: v4l-utils looks up there what a device number is
// (utils/common/media-info.cpp, mi_media_detect_type).
//
// Thread safety: every call, from any thread and signal handler.
#pragma once

namespace dmmap::preload {

/// A program was shown a device of this number, whose name below /dev is `name`.
void remember_device(unsigned major, unsigned minor, const char* name);

/// A descriptor of /sys/dev/char/MAJOR:MINOR/uevent, if `path` is that of a device that was shown: for when there's no
/// such file. -1 otherwise; errno stays as it is.
[[nodiscard]] int open_uevent(const char* path);

}  // namespace dmmap::preload
