// Who asks the server at mmap(2): the client program, by `dmmap run`, or the kernel, where it's patched.
#pragma once

#include <dmmap/session.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace dmmap::testing {

enum class Asker { program, kernel };

/// A command, so that this is who asks. `program` is dmmap.
[[nodiscard]] inline std::vector<std::string> asked_by(Asker asker, const std::string& program,
                                                       std::vector<std::string> words) {
  if (asker == Asker::program) {
    words.insert(words.begin(), {program, "run"});
  }
  return words;
}

}  // namespace dmmap::testing

/// Skips the test where the kernel is to ask and doesn't; but not on the patched one.
#define DMMAP_NEEDS_ASKER(asker, connection)                                                                \
  do {                                                                                                      \
    if ((asker) == Asker::kernel && !(connection).capabilities().has(Tier::kernel)) {                       \
      ASSERT_EQ(std::getenv("DMMAP_KERNEL_PATCHED"), nullptr) << "this kernel is patched, and doesn't ask"; \
      GTEST_SKIP() << "mmap answered by the server: a kernel with kernel/patches is needed";                \
    }                                                                                                       \
  } while (false)
