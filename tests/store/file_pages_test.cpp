// Files of pages against vectors, and what sharing costs.
#include "servers/store/pages/file_pages.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "servers/store/kv/view.h"
#include "servers/store/pages/page_check.h"
#include "store/churn.h"
#include "support/temporary_directory.h"

namespace dmmap::store::testing {
namespace {

std::unique_ptr<Database> open_new(const std::string& folder) {
  auto database = Database::open(folder, {.create = true});
  EXPECT_TRUE(database) << database.error().message;
  return database ? std::move(*database) : nullptr;
}

template <class T>
rc::Gen<T> whole_range() {
  return rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<T>());
}

rc::Gen<Operation> any_operation() {
  return rc::gen::map(
      rc::gen::build<Operation>(rc::gen::set(&Operation::verb, rc::gen::element(Verb::write, Verb::write, Verb::share,
                                                                                Verb::share, Verb::punch)),
                                rc::gen::set(&Operation::file, whole_range<std::uint64_t>()),
                                rc::gen::set(&Operation::page, whole_range<std::uint64_t>()),
                                rc::gen::set(&Operation::count, whole_range<std::uint64_t>()),
                                rc::gen::set(&Operation::source_file, whole_range<std::uint64_t>()),
                                rc::gen::set(&Operation::source_page, whole_range<std::uint64_t>()),
                                rc::gen::set(&Operation::fill, whole_range<std::uint8_t>())),
      fitted);
}

TEST(FilePagesTest, AreWhatVectorsAre) {
  EXPECT_TRUE(rc::check([] {
    const dmmap::testing::TemporaryDirectory folder;
    const auto database = open_new(folder.path() / "store");
    PageModel model;
    for (const Operation& operation : *rc::gen::container<std::vector<Operation>>(any_operation())) {
      Transaction transaction(*database);
      const std::int64_t before = model.pages_of(operation.file);
      const auto more = apply(transaction, operation);
      RC_ASSERT(more.has_value());
      RC_ASSERT(transaction.commit().has_value());
      model.apply(operation);
      RC_ASSERT(*more == model.pages_of(operation.file) - before);
    }
    RC_ASSERT(model.difference(View(*database)) == "");
    RC_ASSERT(damage(View(*database)) == "");
    RC_ASSERT(settle(*database).has_value());
    RC_ASSERT(model.difference(View(*database)) == "");
    RC_ASSERT(damage(View(*database)) == "");
  }));
}

TEST(FilePagesTest, ACopyOfAGibibyteIsAFewEntriesAndPartsWhereItIsWritten) {
  const dmmap::testing::TemporaryDirectory folder;
  const auto database = open_new(folder.path() / "store");
  constexpr std::uint64_t kPages = (1U << 30U) / kStorePage;
  constexpr std::uint64_t kAtOnce = 1024;
  const FilePages original(FileId{1});
  const FilePages copy(FileId{2});
  const std::vector<std::byte> bytes(kAtOnce * kStorePage);  // zeros, which are data all the same
  for (std::uint64_t page = 0; page < kPages; page += kAtOnce) {
    Transaction transaction(*database);
    ASSERT_TRUE(original.write(transaction, page, bytes));
    ASSERT_TRUE(transaction.commit());
  }
  constexpr std::uint64_t kBlocks = kPages / PageReferences::kBlock;
  const auto touched = original.within(View(*database), {0, kPages}, kBlocks);
  ASSERT_TRUE(touched);
  EXPECT_EQ(touched->end, kPages)
      << "what was written in order is one run, with references of as many as there are blocks";
  const auto fewer = original.within(View(*database), {0, kPages}, kBlocks / 2);
  ASSERT_TRUE(fewer);
  EXPECT_EQ(fewer->end, kPages / 2);
  {
    Transaction transaction(*database);
    ASSERT_TRUE(copy.share(transaction, original, {0, kPages}, 0));
    ASSERT_TRUE(transaction.commit());
  }
  const std::vector<std::byte> page(kStorePage, std::byte{7});
  {
    Transaction transaction(*database);
    ASSERT_TRUE(copy.write(transaction, 1000, page));
    ASSERT_TRUE(transaction.commit());
  }
  std::vector<std::byte> seen(kStorePage);
  ASSERT_TRUE(original.read(View(*database), 1000, seen));
  EXPECT_EQ(seen, std::vector<std::byte>(kStorePage));
  ASSERT_TRUE(copy.read(View(*database), 1000, seen));
  EXPECT_EQ(seen, page);
  std::string complaints;
  const auto counts = check_pages(View(*database), [&](const std::string& text) { complaints += text; });
  ASSERT_TRUE(counts);
  EXPECT_EQ(complaints, "");
  EXPECT_EQ(counts->shown, 2 * kPages);
  EXPECT_EQ(counts->pages, kPages + 1);
  EXPECT_EQ(counts->shared, kPages - 1);
}

TEST(FilePagesTest, WhatIsNotCommittedNeverWas) {
  const dmmap::testing::TemporaryDirectory folder;
  const auto database = open_new(folder.path() / "store");
  const std::vector<std::byte> page(kStorePage, std::byte{7});
  {
    Transaction transaction(*database);
    ASSERT_TRUE(FilePages(FileId{1}).write(transaction, 5, page));
    const auto found = FilePages(FileId{1}).find(transaction, {0, 10}, false);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, 5U) << "it sees its own changes";
  }
  const auto found = FilePages(FileId{1}).find(View(*database), {0, 10}, false);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, std::nullopt);
}

TEST(FilePagesTest, AViewStaysAsItWas) {
  const dmmap::testing::TemporaryDirectory folder;
  const auto database = open_new(folder.path() / "store");
  const FilePages file(FileId{1});
  const std::vector<std::byte> before(100 * kStorePage, std::byte{1});
  const std::vector<std::byte> after(kStorePage, std::byte{2});
  const auto change = [&](const auto& action) {
    Transaction transaction(*database);
    ASSERT_TRUE(action(transaction));
    ASSERT_TRUE(transaction.commit());
  };
  change([&](Transaction& transaction) { return file.write(transaction, 0, before); });
  const View view(*database);
  change([&](Transaction& transaction) { return file.write(transaction, 3, after); });
  change([&](Transaction& transaction) { return file.punch(transaction, {4, 100}); });
  ASSERT_TRUE(settle(*database));
  std::vector<std::byte> seen(before.size());
  ASSERT_TRUE(file.read(view, 0, seen));
  EXPECT_EQ(seen, before);
}

}  // namespace
}  // namespace dmmap::store::testing
