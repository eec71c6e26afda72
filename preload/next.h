// The C library's own functions, before which those of the same name in this library stand.
//
// Promises: found at the first call, which may come before any constructor has run; another preload library that has
// the function is found before the C library. Thread safety: any thread, signal handlers too.
#pragma once

#include <dlfcn.h>

#include <atomic>

namespace dmmap::preload {

/// The next definition of one function; `F` is its type.
template <class F>
class Next {
 public:
  explicit constexpr Next(const char* name) : name_(name) {}
  template <class... A>
  auto operator()(A... arguments) {
    F* function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name_));
      function_.store(function, std::memory_order_relaxed);
    }
    return function(arguments...);
  }

 private:
  const char* const name_;
  std::atomic<F*> function_{nullptr};
};

}  // namespace dmmap::preload

/// Makes `next_NAME` call the next function of that name.
#define DMMAP_NEXT(name)                                           \
  constinit ::dmmap::preload::Next<decltype(::name)> next_##name { \
#name                                                          \
  }
/// Marks what programs are to find in place of the C library's.
#define DMMAP_STANDS_BEFORE extern "C" __attribute__((visibility("default")))
