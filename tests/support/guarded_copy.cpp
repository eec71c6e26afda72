#include "support/guarded_copy.h"

#include <csetjmp>
#include <csignal>

namespace dmmap::testing {

namespace {

sigjmp_buf beyond;  // where a SIGBUS leads

void on_bus_error(int /*signal*/) {
  siglongjmp(beyond, 1);
}

}  // namespace

void guard_copies() {
  struct sigaction action {};
  action.sa_handler = on_bus_error;
  ::sigaction(SIGBUS, &action, nullptr);
}

bool copy_guarded(volatile unsigned char* to, const volatile unsigned char* from, std::size_t size) {
  if (sigsetjmp(beyond, 1) != 0) {
    return false;
  }
  for (std::size_t i = 0; i < size; ++i) {
    to[i] = from[i];
  }
  return true;
}

}  // namespace dmmap::testing
