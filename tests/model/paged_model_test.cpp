// Random mixes of what clients and the server may do to one paged file, against a plain string; what fails is shrunk.
//
// Short by default. DMMAP_MODEL_CASES=100000 runs that many cases; RC_PARAMS="seed=N" repeats a run.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "model/file_under_test.h"
#include "model/model_runs.h"
#include "support/generators.h"

namespace dmmap::testing {
namespace {

constexpr int kShort = 300;  // cases

rc::Gen<Operation> any_operation() {
  return rc::gen::build<Operation>(
      rc::gen::set(&Operation::verb,
                   rc::gen::map(in_range<int>(0, kVerbs), [](int number) { return static_cast<Verb>(number); })),
      rc::gen::set(&Operation::client, in_range<std::uint32_t>(0, FileUnderTest::kClients)),
      rc::gen::set(&Operation::offset, offset_up_to(FileUnderTest::kMost, FileUnderTest::kPage)),
      rc::gen::set(&Operation::size, rc::gen::oneOf(in_range<std::uint64_t>(1, 64),
                                                    in_range<std::uint64_t>(1, 3 * FileUnderTest::kPage))),
      rc::gen::set(&Operation::fill, in_range<char>('a', 'w')),
      rc::gen::set(&Operation::on, rc::gen::arbitrary<bool>()));
}

void check(Place place, bool writeback_cache) {
  try_cases(kShort, 60);
  FileUnderTest file(place, writeback_cache);
  const bool held = rc::check([&file] {
    const auto operations = *rc::gen::container<std::vector<Operation>>(any_operation());
    file.reset();
    file.carry_out({.verb = Verb::pwrite, .size = 3 * FileUnderTest::kPage + 100, .fill = 'A'});
    for (const Operation& operation : operations) {
      if (const std::string wrong = file.carry_out(operation); !wrong.empty()) {
        std::ostringstream which;
        which << operation << ": " << wrong;
        std::cerr << which.str() << '\n';  // what only happens now and then is lost by shrinking
        RC_FAIL(which.str());
      }
    }
    if (const std::string wrong = file.settle(); !wrong.empty()) {
      std::cerr << "at the end: " << wrong << '\n';
      RC_FAIL("at the end: " + wrong);
    }
  });
  EXPECT_TRUE(held);
  const PagedCounters counters = file.counters();
  EXPECT_GT(counters.faults, 0U);
  EXPECT_GT(counters.writebacks_failed, 0U) << "the run was to have failures";
  EXPECT_GT(counters.pages_pushed, 0U);
  EXPECT_GT(counters.unmaps, 0U);
  EXPECT_EQ(counters.writes_stored > 0, !writeback_cache);
}

class PagedModelTest : public ::testing::TestWithParam<Place> {
 protected:
  void SetUp() override { DMMAP_NEEDS_PLACE(GetParam()); }
};
/// What only a mount has.
class PagedModelOfMountTest : public PagedModelTest {};

TEST_P(PagedModelTest, AFileIsWhatAPlainStringIs) {
  check(GetParam(), false);
}

TEST_P(PagedModelOfMountTest, SoItIsWithTheWritebackCache) {
  check(GetParam(), true);
}

INSTANTIATE_TEST_SUITE_P(Open, PagedModelTest, ::testing::Values(Place::file), name_of);
INSTANTIATE_TEST_SUITE_P(Kernel, PagedModelTest, ::testing::Values(Place::asked, Place::device), name_of);
INSTANTIATE_TEST_SUITE_P(Open, PagedModelOfMountTest, ::testing::Values(Place::file), name_of);
INSTANTIATE_TEST_SUITE_P(Kernel, PagedModelOfMountTest, ::testing::Values(Place::asked), name_of);

}  // namespace
}  // namespace dmmap::testing
