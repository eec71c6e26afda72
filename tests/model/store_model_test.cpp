// Random mixes of what several processes do to files of a page store, and of what its server does by itself, against
// plain strings; what fails is shrunk.
//
// Short by default. DMMAP_MODEL_CASES=100000 runs that many cases; RC_PARAMS="seed=N" repeats a run.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/any_store_operations.h"
#include "model/model_runs.h"
#include "model/store_operation.h"
#include "model/store_under_test.h"
#include "support/requirement.h"
#include "support/sanitizers.h"

namespace dmmap::testing {
namespace {

std::string text_of(const std::vector<StoreOperation>& operations) {
  std::ostringstream text;
  for (const StoreOperation& operation : operations) {
    text << operation;
  }
  return text.str();
}

constexpr int kShort = kSanitized ? 120 : 400;  // cases

// Carries out cases, one after another. One that failed leaves nothing to the next.
class Cases {
 public:
  explicit Cases(StoreUnderTest::Seen& seen) : seen_(seen) {}

  /// What is wrong, or nothing.
  std::string carry_out(const std::vector<StoreOperation>& operations) {
    std::string wrong;
    try {
      if (!store_) {
        store_ = std::make_unique<StoreUnderTest>(seen_);
      }
      wrong = carry_out_all(operations);
    } catch (const std::runtime_error& error) {
      wrong = error.what();
    }
    if (!wrong.empty()) {
      store_.reset();
    }
    return wrong;
  }

 private:
  std::string carry_out_all(const std::vector<StoreOperation>& operations) {
    for (const StoreOperation& operation : operations) {
      if (const std::string wrong = carry_out_one(operation); !wrong.empty()) {
        shrinks_operations_ = true;
        return text_of({operation}) + wrong;
      }
    }
    std::string wrong = shrinks_operations_ ? "" : store_->settle();
    if (wrong.empty()) {
      wrong = store_->clear();
    }
    return wrong.empty() ? "" : "at the end: " + wrong;
  }

  std::string carry_out_one(const StoreOperation& operation) {
    try {
      return store_->carry_out(operation);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

  StoreUnderTest::Seen& seen_;
  std::unique_ptr<StoreUnderTest> store_;
  // An operation failed, and rapidcheck looks for less that makes one fail: it tries much, and the end takes longest.
  bool shrinks_operations_ = false;
};

TEST(StoreModelTest, FilesAreWhatPlainStringsAre) {
  DMMAP_NEEDS(needs::mounting());
  try_cases(kShort, 200);
  StoreUnderTest::Seen seen;
  Cases cases(seen);
  std::map<std::string, std::string> tried;  // since a case failed: rapidcheck shrinks what makes no difference, too
  ASSERT_TRUE(rc::check([&] {
    const auto operations = *any_store_operations();
    const std::string text = text_of(operations);
    const auto known = tried.find(text);
    const std::string wrong = known != tried.end() ? known->second : cases.carry_out(operations);
    if (!wrong.empty() || !tried.empty()) {
      tried[text] = wrong;
    }
    if (!wrong.empty()) {
      if (known == tried.end()) {
        std::cerr << wrong << '\n';  // what only happens now and then is lost by shrinking
      }
      RC_FAIL(wrong);
    }
  }));
  std::cout << seen.operations << " operations, " << seen.shared_pages << " shared pages, " << seen.holes << " holes, "
            << seen.unmapped << " times unmapped\n";
  EXPECT_GT(seen.shared_pages, 0U) << "the run was to share";
  if (needs::kernel(6, 16).empty()) {
    EXPECT_GT(seen.holes, 0U) << "older kernels are told that all is data";
  }
  EXPECT_GT(seen.unmapped, 0U);
}

}  // namespace
}  // namespace dmmap::testing
