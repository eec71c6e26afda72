// A real PulseAudio that plays and records at once, by both mappings of one open.
#pragma once

#include <string>
#include <vector>

#include "programs/sound_server.h"

namespace dmmap::testing {

/// On a server of its own; `before` runs the PulseAudio. What it recorded and what was heard are compared, exactly.
void plays_and_records_at_once(SoundServerOptions options, const std::vector<std::string>& before);

}  // namespace dmmap::testing
