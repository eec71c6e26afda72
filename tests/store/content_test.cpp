// Bytes of files against vectors, and where the edges are.
#include "servers/store/content/content.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ostream>
#include <vector>

#include "store/page_model.h"
#include "store/tree_fixture.h"
#include "support/generators.h"

namespace dmmap::store::testing {
namespace {

constexpr std::uint64_t kMost = 10 * kStorePage;

struct Step {
  int verb = 0;
  std::size_t file = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::size_t source = 0;
  std::uint64_t to = 0;
  std::uint8_t fill = 0;
};
constexpr std::array<const char*, 4> kVerbs{"write", "resize", "punch", "share"};

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << kVerbs.at(static_cast<std::size_t>(step.verb)) << " file " << step.file << " " << step.begin << " to "
             << step.end << ", from file " << step.source << " to " << step.to;
}

// Where pages meet, as often as anywhere else.
rc::Gen<std::uint64_t> any_offset() {
  const auto below = [](std::uint64_t beyond) { return dmmap::testing::in_range<std::uint64_t>(0, beyond); };
  return rc::gen::oneOf(below(kMost + 1), rc::gen::map(below(kMost / kStorePage + 1),
                                                       [](std::uint64_t page) { return page * kStorePage; }));
}

using Bytes = std::vector<std::byte>;

class Files {
 public:
  Files() {
    for (std::size_t each = 0; each < inodes_.size(); ++each) {
      inodes_.at(each) = *store_.make(kRootFile, std::to_string(each));
    }
  }

  void apply(const Step& step) {
    Inode& inode = inodes_.at(step.file);
    Bytes& model = models_.at(step.file);
    const auto [begin, end] = std::minmax(step.begin, step.end);
    const auto at = [](Bytes& bytes, std::uint64_t offset) {
      return bytes.begin() + static_cast<std::ptrdiff_t>(offset);
    };
    Transaction transaction(store_.database());
    Content content(inode);
    switch (step.verb) {
      case 0: {
        RC_ASSERT(content.write(transaction, begin, Bytes(end - begin, std::byte{step.fill})).has_value());
        model.resize(std::max<std::size_t>(model.size(), begin == end ? 0 : end));
        std::fill(at(model, std::min<std::uint64_t>(begin, model.size())),
                  at(model, std::min<std::uint64_t>(end, model.size())), std::byte{step.fill});
        break;
      }
      case 1:
        RC_ASSERT(content.resize(transaction, end) == false);
        model.resize(end);
        break;
      case 2: {
        const std::uint64_t last = std::min<std::uint64_t>(end, model.size());
        RC_ASSERT(content.punch(transaction, begin, end) == last);
        if (begin < last) {
          std::fill(at(model, begin), at(model, last), std::byte{0});
        }
        break;
      }
      default:
        share(transaction, step, begin, end);
    }
    put_inode(transaction, inode);
    RC_ASSERT(transaction.commit().has_value());
  }

  void compare() const {
    const View view(store_.database());
    for (std::size_t each = 0; each < inodes_.size(); ++each) {
      Inode inode = *get_inode(view, inodes_.at(each).file);
      const Bytes& model = models_.at(each);
      RC_ASSERT(inode.size == model.size());
      Bytes seen(2 * kMost + 100, std::byte{99});
      const auto read = Content(inode).read(view, 0, seen);
      RC_ASSERT(read == model.size());
      seen.resize(*read);
      RC_ASSERT(seen == model);
      // Any part of it.
      for (std::uint64_t from = 1; from < model.size(); from += 3001) {
        Bytes part(5000);
        const auto some = Content(inode).read(view, from, part);
        RC_ASSERT(some == std::min<std::size_t>(part.size(), model.size() - from));
        RC_ASSERT(std::equal(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(*some),
                             model.begin() + static_cast<std::ptrdiff_t>(from)));
      }
      compare_holes(view, inode, model);
    }
    RC_ASSERT(tree_damage(view) == "");
    RC_ASSERT(damage(view) == "");
  }

 private:
  void share(Transaction& transaction, const Step& step, std::uint64_t begin, std::uint64_t end) {
    const Bytes source = models_.at(step.source);
    Bytes& model = models_.at(step.file);
    const std::uint64_t last = std::min<std::uint64_t>(end, source.size());
    const std::uint64_t to = std::min(step.to, kMost);
    if (last > begin && step.source == step.file && to < last && begin < to + (last - begin)) {
      return;
    }
    const auto shared = Content(inodes_.at(step.file)).share(transaction, inodes_.at(step.source), begin, end, to);
    const bool aligned = begin % kStorePage == 0 && to % kStorePage == 0 && last > begin;
    const std::uint64_t length = aligned ? last - begin : 0;
    const bool to_the_end = aligned && last == source.size() && to + length >= model.size();
    const std::uint64_t expected = to_the_end ? length : length / kStorePage * kStorePage;
    if (expected == 0) {
      RC_ASSERT(code_of(shared) == EOPNOTSUPP);
      return;
    }
    RC_ASSERT(shared == expected);
    model.resize(std::max<std::size_t>(model.size(), to + expected));
    std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(begin), expected,
                model.begin() + static_cast<std::ptrdiff_t>(to));
  }

  // What is said to be a hole is zeros; data and holes follow each other to the end.
  static void compare_holes(const View& view, Inode& inode, const Bytes& model) {
    std::uint64_t at = 0;
    while (at < model.size()) {
      const auto data = Content(inode).seek(view, at, false);
      const std::uint64_t hole_end = data ? *data : model.size();
      RC_ASSERT(data.has_value() || code_of(data) == ENXIO);
      RC_ASSERT(std::all_of(model.begin() + static_cast<std::ptrdiff_t>(at),
                            model.begin() + static_cast<std::ptrdiff_t>(hole_end),
                            [](std::byte byte) { return byte == std::byte{0}; }));
      if (!data) {
        break;
      }
      const auto hole = Content(inode).seek(view, *data, true);
      RC_ASSERT(hole.has_value());
      RC_ASSERT(*hole > *data);
      at = *hole;
    }
    RC_ASSERT(code_of(Content(inode).seek(view, model.size(), true)) == ENXIO);
  }

  Store store_;
  std::array<Inode, 2> inodes_;
  std::array<Bytes, 2> models_;
};

TEST(ContentTest, IsWhatVectorsAre) {
  EXPECT_TRUE(rc::check([] {
    Files files;
    const auto steps = *rc::gen::container<std::vector<Step>>(rc::gen::build<Step>(
        rc::gen::set(&Step::verb, rc::gen::element(0, 0, 1, 2, 3, 3)),
        rc::gen::set(&Step::file, rc::gen::element<std::size_t>(0, 1)), rc::gen::set(&Step::begin, any_offset()),
        rc::gen::set(&Step::end, any_offset()), rc::gen::set(&Step::source, rc::gen::element<std::size_t>(0, 1)),
        rc::gen::set(&Step::to, any_offset()), rc::gen::set(&Step::fill, rc::gen::arbitrary<std::uint8_t>())));
    for (const Step& step : steps) {
      files.apply(step);
    }
    files.compare();
  }));
}

TEST(ContentTest, FilesEndWhereOffsetsDo) {
  Store store;
  Inode inode = *store.make(kRootFile, "file");
  const Bytes bytes(10, std::byte{7});
  Transaction transaction(store.database());
  Content content(inode);
  EXPECT_EQ(code_of(content.write(transaction, kLargestFile - 9, bytes)), EFBIG);
  EXPECT_EQ(code_of(content.write(transaction, UINT64_MAX - 5, bytes)), EFBIG);
  EXPECT_EQ(code_of(content.resize(transaction, kLargestFile + 1)), EFBIG);
  ASSERT_TRUE(content.write(transaction, kLargestFile - 10, bytes));
  EXPECT_EQ(inode.size, kLargestFile);
  EXPECT_EQ(inode.pages, 1U);
  Bytes seen(20);
  EXPECT_EQ(content.read(transaction, kLargestFile - 10, seen), 10U);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), seen.begin()));
  EXPECT_EQ(content.seek(transaction, 0, false), kLargestFile / kStorePage * kStorePage);
  EXPECT_EQ(content.resize(transaction, 0), false);
  EXPECT_EQ(inode.pages, 0U);
}

// What is cut off is gone at once, however many runs of pages it has, and doesn't come back when the file grows.
TEST(ContentTest, MuchIsCutOffPieceByPiece) {
  Store store;
  Inode inode = *store.make(kRootFile, "file");
  const Bytes page(kStorePage, std::byte{7});
  {
    Transaction transaction(store.database());
    for (std::uint64_t each = 0; each < 2500; ++each) {
      ASSERT_TRUE(Content(inode).write(transaction, 2 * each * kStorePage, page));
    }
    put_inode(transaction, inode);
    ASSERT_TRUE(transaction.commit());
  }
  {
    Transaction transaction(store.database());
    EXPECT_EQ(Content(inode).resize(transaction, 100), true);
    put_inode(transaction, inode);
    ASSERT_TRUE(transaction.commit());
  }
  EXPECT_EQ(inode.size, 100U);
  EXPECT_EQ(tree_damage(View(store.database())), "") << "a crash here leaves what is known to be left";
  EXPECT_EQ(trim(store.database(), inode.file), true);
  EXPECT_EQ(trim(store.database(), inode.file), false);
  inode = store.inode(inode.file);
  EXPECT_EQ(inode.pages, 1U);
  Transaction transaction(store.database());
  EXPECT_EQ(Content(inode).resize(transaction, 3 * kStorePage), false);
  Bytes seen(3 * kStorePage);
  EXPECT_EQ(Content(inode).read(transaction, 0, seen), seen.size());
  EXPECT_EQ(std::count(seen.begin(), seen.end(), std::byte{7}), 100);
  put_inode(transaction, inode);
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(tree_damage(View(store.database())), "");
  EXPECT_EQ(damage(View(store.database())), "");
}

}  // namespace
}  // namespace dmmap::store::testing
