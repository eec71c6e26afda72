// What a test needs of the machine, and what happens when it isn't there.
//
// Each function of `needs` answers with an empty string when the thing is there, otherwise with a plain reason.
// DMMAP_NEEDS(needs::passthrough()); as a statement in a test or in a fixture's SetUp() skips the test with that
// reason; with DMMAP_REQUIRE_ALL=1 in the environment it fails instead, so that nothing is skipped where it should run.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace dmmap::testing {

namespace needs {

[[nodiscard]] std::string root();
/// /dev/fuse, and the right to open it.
[[nodiscard]] std::string fuse_device();
/// Mounting as root: root(), fuse_device() and CAP_SYS_ADMIN.
[[nodiscard]] std::string mounting();
/// What a shared region needs: mounting(), Linux 6.9, CAP_SYS_ADMIN in the initial user namespace.
[[nodiscard]] std::string passthrough();
/// A program in PATH, or by its path.
[[nodiscard]] std::string program(std::string_view name);
/// Linux of at least this version.
[[nodiscard]] std::string kernel(int major, int minor);

}  // namespace needs

/// Whether nothing may be skipped here: DMMAP_REQUIRE_ALL is set and isn't "0" or empty.
[[nodiscard]] bool all_required();

}  // namespace dmmap::testing

#define DMMAP_NEEDS(reason)                                       \
  do {                                                            \
    if (const std::string missing = (reason); !missing.empty()) { \
      if (::dmmap::testing::all_required()) {                     \
        FAIL() << "DMMAP_REQUIRE_ALL is set, but " << missing;    \
      }                                                           \
      GTEST_SKIP() << missing;                                    \
    }                                                             \
  } while (false)
