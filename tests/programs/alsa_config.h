// ALSA's programs on our device: by its OSS plugin (alsa-plugins), under the name `dmmap`, as PCM and as control.
#pragma once

#include <fstream>

#include "programs/sound_server.h"
#include "support/process.h"

namespace dmmap::testing {

/// The environment that ALSA's programs need for that. The configuration is a file in the server's folder.
[[nodiscard]] inline ProcessOptions alsa_on(const SoundServer& server) {
  const auto file = server.directory() / "asound.conf";
  std::ofstream(file) << "pcm.dmmap { type oss device " << server.dsp().string() << " }\n"
                      << "ctl.dmmap { type oss device " << (server.mountpoint() / "mixer").string() << " }\n";
  return {.environment = {"ALSA_CONFIG_PATH=" + file.string()}, .directory = {}, .user = {}};
}

}  // namespace dmmap::testing
