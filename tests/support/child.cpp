#include "support/child.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

namespace dmmap::testing {

pid_t fork_with(int kept) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // NOLINT(*-vararg)
    for (int fd = 3; fd < 1024; ++fd) {
      if (fd != kept) {
        ::close(fd);
      }
    }
  }
  return child;
}

}  // namespace dmmap::testing
