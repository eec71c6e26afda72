// What store_churn does, so that who kills it knows what must be there.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>

#include "store/page_model.h"

namespace dmmap::store::testing {

/// The numbers of what is done, as Transaction::next_numbers() counts them: from 1 on.
inline constexpr std::string_view kDone = "done";

[[nodiscard]] inline Operation operation_of(std::uint64_t seed, std::uint64_t number) {
  std::seed_seq mixed{seed, number};
  std::mt19937_64 random(mixed);
  Operation operation;
  operation.verb = static_cast<Verb>(random() % 3);
  operation.file = random();
  operation.page = random();
  operation.count = random() % (random() % 4 == 0 ? PageModel::kPages : 16);
  operation.source_file = random();
  operation.source_page = random();
  operation.fill = static_cast<std::uint8_t>(random());
  return fitted(operation);
}

}  // namespace dmmap::store::testing
