// StressClient: a process that stores into its own bytes of every page of a file, by every way there is, and looks
// whether they are still there.
//
// Thread safety: one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace dmmap::testing {

/// Bytes of each page that belong to one actor: `kLane` of them, from `kLane` times its number on.
inline constexpr std::size_t kLane = 128;

class StressClient {
 public:
  /// Starts at once. `verifies`: nobody but this process changes its bytes, so they must be what it stored; otherwise
  /// the file may shrink and lose bytes, and only hanging is wrong.
  StressClient(const std::filesystem::path& file, std::size_t pages, unsigned number, bool verifies);
  StressClient(const StressClient&) = delete;
  StressClient& operator=(const StressClient&) = delete;
  ~StressClient();

  /// How many operations it has done so far.
  [[nodiscard]] std::uint64_t done() const;
  void stop();
  /// What it found wrong, or nothing. "hangs" when it doesn't end.
  [[nodiscard]] std::string finish();

 private:
  struct Shared;
  Shared* shared_;
  pid_t child_;
};

}  // namespace dmmap::testing
