// What store_churn does, so that who kills it knows what must be there.
#pragma once

#include <cstdint>
#include <string_view>

#include "store/page_model.h"

namespace dmmap::store::testing {

/// The numbers of what is done, as Transaction::next_numbers() counts them: from 1 on.
inline constexpr std::string_view kDone = "done";

/// Operation `number` on files of pages.
[[nodiscard]] Operation operation_of(std::uint64_t seed, std::uint64_t number);

/// Operation `number` on names and what they're of: makes, writes, cuts, copies, links, renames, removes. The same
/// number does the same to the same store.
Result<void> churn_tree(Transaction& transaction, std::uint64_t seed, std::uint64_t number);

/// Removes all files without a name, and the bytes of all pages that were freed.
Result<void> settle(Database& database);

}  // namespace dmmap::store::testing
