// TemporaryDirectory: a folder of a test's own, gone when the test is.
//
// Promises: made under $TMPDIR, or /tmp. The destructor first takes away, lazily, whatever is mounted below, and never
// descends into a mount: if one can't be taken away the folder is left, and stderr says so.
#pragma once

#include <filesystem>
#include <string_view>

namespace dmmap::testing {

class TemporaryDirectory {
 public:
  /// Throws std::system_error when it can't be made.
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace dmmap::testing
