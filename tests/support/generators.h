// What rapidcheck's generators lack.
#pragma once

#include <rapidcheck.h>

namespace dmmap::testing {

/// Of the whole range, however small the case: rapidcheck takes inRange's upper end by the case's size.
template <class T>
rc::Gen<T> in_range(T least, T beyond) {
  return rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(least, beyond));
}

}  // namespace dmmap::testing
