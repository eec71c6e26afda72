// Where the library is tried: what its regions are to clients, and who has the server asked.
#pragma once

#include <dmmap/device.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "mount/cuse_device.h"
#include "mount/mounted.h"
#include "preload/asker.h"
#include "support/requirement.h"

namespace dmmap::testing {

enum class Place : std::uint8_t {
  file,    ///< a file of a mount, which is asked about at open
  asked,   ///< the same, and the kernel asks at each mmap
  device,  ///< a character device, by CUSE
};

[[nodiscard]] inline std::string name_of(const ::testing::TestParamInfo<Place>& place) {
  return place.param == Place::file ? "File" : (place.param == Place::asked ? "AskedFile" : "Device");
}

}  // namespace dmmap::testing

/// Skips the test where there's no such place; but not on the patched kernel.
#define DMMAP_NEEDS_PLACE(place)                                                        \
  do {                                                                                  \
    DMMAP_NEEDS(::dmmap::testing::needs::mounting());                                   \
    if ((place) == ::dmmap::testing::Place::device) {                                   \
      DMMAP_NEEDS_CUSE();                                                               \
    }                                                                                   \
    if ((place) != ::dmmap::testing::Place::file) {                                     \
      ::dmmap::DeviceFilesystem none;                                                   \
      ::dmmap::testing::Mounted probe(none, {}, ::dmmap::testing::Clients::elsewhere);  \
      DMMAP_NEEDS_ASKER(::dmmap::testing::Asker::kernel, probe.session().connection()); \
    }                                                                                   \
  } while (false)
