// store_churn STORE pages|tree SEED: does operations to a store without an end, each with its number in one
// transaction, and says each number that is committed. For a test that kills it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "store/churn.h"

namespace {

using dmmap::Result;
using dmmap::store::Database;
using dmmap::store::Transaction;

namespace testing = dmmap::store::testing;

Result<void> apply(Transaction& transaction, bool tree, std::uint64_t seed, std::uint64_t number) {
  if (tree) {
    return testing::churn_tree(transaction, seed, number);
  }
  const auto applied = testing::apply(transaction, testing::operation_of(seed, number));
  return applied ? Result<void>() : tl::unexpected(applied.error());
}

Result<void> churn(Database& database, bool tree, std::uint64_t seed) {
  while (true) {
    std::uint64_t number = 0;
    {
      Transaction transaction(database);
      const auto next = transaction.next_numbers(testing::kDone, 1);
      if (!next) {
        return tl::unexpected(next.error());
      }
      number = *next;
      if (auto applied = apply(transaction, tree, seed, number); !applied) {
        return applied;
      }
      if (auto committed = transaction.commit(); !committed) {
        return committed;
      }
    }
    std::printf("%llu\n", static_cast<unsigned long long>(number));
    std::fflush(stdout);
    if (number % 8 == 0) {
      if (auto synced = database.sync(); !synced) {
        return synced;
      }
    }
    if (number % 3 == 0) {
      if (auto settled = testing::settle(database); !settled) {
        return settled;
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    return 2;
  }
  const auto database = Database::open(argv[1], {.create = true});
  if (!database) {
    std::fprintf(stderr, "%s\n", database.error().message.c_str());
    return 1;
  }
  const auto ended = churn(**database, std::string(argv[2]) == "tree", std::strtoull(argv[3], nullptr, 10));
  std::fprintf(stderr, "%s\n", ended.error().message.c_str());
  return 1;
}
