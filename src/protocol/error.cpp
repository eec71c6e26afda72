#include <dmmap/error.h>

#include <system_error>

namespace dmmap {

tl::unexpected<Error> fail_errno(int code, const std::string& what) {
  // strerror(3)'s text, without strerror(3)'s shared buffer.
  return fail(code, what + ": " + std::generic_category().message(code));
}

}  // namespace dmmap
