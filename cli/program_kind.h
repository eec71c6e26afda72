// What a program is, as far as a preloaded library can come into it.
//
// Thread safety: any thread.
#pragma once

#include <dmmap/error.h>

#include <string>

namespace dmmap::cli {

struct ProgramKind {
  std::string path;      ///< what execve(2) is given: found in PATH where the name has no '/'
  bool can_load = true;  ///< false: the library must not even be offered to it
  std::string why_not;   ///< why its mmap calls can't be asked about; empty where they can, or where that can't be seen
};

/// Looks at the program's file, and for a script at its interpreter's.
/// Errors: ENOENT and EACCES, as execvp(3) has them.
[[nodiscard]] Result<ProgramKind> look_at_program(const std::string& name);

}  // namespace dmmap::cli
