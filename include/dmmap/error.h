// What a call that can fail returns.
//
// Promises: an Error always carries a positive errno(3) value and a sentence that says what went wrong and, where the
// user can do something about it, what to do. Nothing in the library throws across its interface except
// std::bad_alloc.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace dmmap {

/// A failure: `code` is an errno(3) value, greater than 0; `message` is one or two sentences for a person.
struct Error {
  int code = 0;
  std::string message;
};

/// A value, or the Error that stands in its place.
template <class T>
using Result = tl::expected<T, Error>;

/// An Error as a Result of any type: `return fail(EINVAL, "size must not be 0");`
[[nodiscard]] inline tl::unexpected<Error> fail(int code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// As above, with the text of `code` (strerror(3)) appended to `what` after a colon.
[[nodiscard]] tl::unexpected<Error> fail_errno(int code, const std::string& what);

}  // namespace dmmap
