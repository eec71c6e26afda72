// What libav would write to stderr goes nowhere: its lines name no camera and no file, and broken files make thousands.
// What matters of an error comes with the call that fails.
//
// Promises: it's the whole process's, for good. Thread safety: from any thread, again and again.
#pragma once

namespace dmmap::camera {

void silence_libav();

}  // namespace dmmap::camera
