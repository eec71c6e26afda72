#include "servers/camera/picture/av_log.h"

#include <cstdarg>

extern "C" {
#include <libavutil/log.h>
}

namespace dmmap::camera {

namespace {

void ignore(void* /*who*/, int /*level*/, const char* /*format*/, std::va_list /*values*/) {}

}  // namespace

void silence_libav() {
  av_log_set_level(AV_LOG_QUIET);
  av_log_set_callback(ignore);
}

}  // namespace dmmap::camera
