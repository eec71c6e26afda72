// Operations on a page store as rapidcheck is to try them.
#pragma once

#include <rapidcheck.h>

#include <vector>

#include "model/store_operation.h"

namespace dmmap::testing {

/// They shrink to fewer ones, and to smaller and simpler numbers; a verb stays what it is.
rc::Gen<std::vector<StoreOperation>> any_store_operations();

}  // namespace dmmap::testing
