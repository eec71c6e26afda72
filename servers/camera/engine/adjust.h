// What a camera's controls do to a picture.
//
// Thread safety: as the converter's.
#pragma once

#include <dmmap/error.h>

#include "servers/camera/engine/controls.h"
#include "servers/camera/picture/converter.h"
#include "servers/camera/picture/picture.h"

namespace dmmap::camera {

/// The picture, adjusted; itself where the controls leave it as it is. Errors: those of Converter::convert.
[[nodiscard]] Result<Picture> adjusted(const Picture& picture, const Adjustments& by, Converter& converter);

}  // namespace dmmap::camera
