// Mappers: processes that have files mapped and touch a page of one when they're told.
#pragma once

#include <semaphore.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dmmap::bench {

/// Thread safety: one thread at a time.
class Mappers {
 public:
  /// Forks `count` processes; REQUIRES: this one has one thread.
  Mappers(std::size_t count, const std::vector<std::string>& paths);
  Mappers(const Mappers&) = delete;
  Mappers& operator=(const Mappers&) = delete;
  ~Mappers();

  /// Has each load from page `page` of file `file`, and returns when they have.
  void touch(std::size_t file, std::uint64_t page);

 private:
  static constexpr std::size_t kMost = 128;
  struct Shared {
    sem_t go[kMost];  // NOLINT(modernize-avoid-c-arrays)
    sem_t done;
    std::size_t file;
    std::uint64_t page;
  };
  [[noreturn]] static void run(Shared& shared, std::size_t self, const std::vector<std::string>& paths);

  Shared* shared_;
  std::vector<pid_t> processes_;
};

}  // namespace dmmap::bench
