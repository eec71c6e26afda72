// CuseDevice: one file of a file system, served as a character device by threads of the test's process.
//
// Promises: the device is there when the constructor returns, and gone with the object. Thread safety: one thread.
#pragma once

#include <dmmap/device.h>
#include <dmmap/session.h>

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "mount/session_lines.h"

namespace dmmap::testing {

class CuseDevice {
 public:
  /// `file` as /dev/`name`. Throws std::runtime_error when that can't be had.
  CuseDevice(DeviceFilesystem& filesystem, const std::string& file, std::string name, SessionOptions options = {});

  [[nodiscard]] std::filesystem::path path() const { return "/dev/" + name_; }
  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] std::string log() const { return lines_.log(); }
  [[nodiscard]] std::string trace() const { return lines_.trace(); }
  /// Stops and waits.
  void end() { session_.reset(); }

 private:
  const std::string name_;
  SessionLines lines_;
  std::optional<Session> session_;
};

}  // namespace dmmap::testing

/// Skips the test where there's no CUSE; but not on the patched kernel.
#define DMMAP_NEEDS_CUSE()                                                                      \
  do {                                                                                          \
    if (::access("/dev/cuse", R_OK | W_OK) != 0) {                                              \
      ASSERT_EQ(std::getenv("DMMAP_KERNEL_PATCHED"), nullptr) << "this kernel is to have CUSE"; \
      GTEST_SKIP() << "character devices: there's no /dev/cuse here";                           \
    }                                                                                           \
  } while (false)
