// store_churn STORE SEED: does operations to a store of the model's files without an end, each with its number in one
// transaction, and says each number that is committed. For a test that kills it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "servers/store/kv/numbers.h"
#include "servers/store/pages/file_pages.h"
#include "store/churn.h"

namespace {

using dmmap::Result;
using dmmap::store::Database;
using dmmap::store::Transaction;

Result<void> churn(Database& database, std::uint64_t seed) {
  namespace testing = dmmap::store::testing;
  while (true) {
    Transaction transaction(database);
    const auto number = transaction.next_numbers(testing::kDone, 1);
    if (!number) {
      return tl::unexpected(number.error());
    }
    if (auto applied = apply(transaction, testing::operation_of(seed, *number)); !applied) {
      return tl::unexpected(applied.error());
    }
    if (auto committed = transaction.commit(); !committed) {
      return committed;
    }
    std::printf("%llu\n", static_cast<unsigned long long>(*number));
    std::fflush(stdout);
    if (*number % 8 == 0) {
      if (auto synced = database.sync(); !synced) {
        return synced;
      }
    }
    if (*number % 3 == 0) {
      if (auto reaped = dmmap::store::reap_pages(database); !reaped) {
        return tl::unexpected(reaped.error());
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    return 2;
  }
  const auto database = Database::open(argv[1], {.create = true});
  if (!database) {
    std::fprintf(stderr, "%s\n", database.error().message.c_str());
    return 1;
  }
  const auto ended = churn(**database, std::strtoull(argv[2], nullptr, 10));
  std::fprintf(stderr, "%s\n", ended.error().message.c_str());
  return 1;
}
