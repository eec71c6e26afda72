// System calls of this library's own: not by the C library's functions, which are points where a thread can be
// cancelled, and which other preload libraries may stand before.
//
// Each returns what the kernel does: a negative errno(3) on failure. errno itself stays as it is.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace dmmap::preload {

/// Puts errno back as it was.
class KeepErrno {
 public:
  KeepErrno() : saved_(errno) {}
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;
  ~KeepErrno() { errno = saved_; }

 private:
  int saved_;
};

template <class... A>
long system_call(long number, A... arguments) {
  const KeepErrno keep;
  const long result = ::syscall(number, arguments...);
  return result == -1 ? -errno : result;
}

inline bool is_error(long result) {
  return result < 0 && result > -4096;
}

}  // namespace dmmap::preload
