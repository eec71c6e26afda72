// ByteStore against an array in which each byte is there or isn't.
#include "mapping/byte_ranges.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "support/generators.h"

namespace dmmap::mapping {
namespace {

constexpr std::size_t kMost = 64;

struct Change {
  bool put = false;
  std::size_t begin = 0;
  std::size_t size = 0;
  unsigned char fill = 0;
};

std::ostream& operator<<(std::ostream& out, const Change& change) {
  return out << (change.put ? "put " : "erase ") << change.begin << " + " << change.size;
}

rc::Gen<Change> any_change() {
  using dmmap::testing::in_range;
  return rc::gen::build<Change>(rc::gen::set(&Change::put),
                                rc::gen::set(&Change::begin, in_range<std::size_t>(0, kMost)),
                                rc::gen::set(&Change::size, in_range<std::size_t>(0, 20)), rc::gen::set(&Change::fill));
}

TEST(ByteStoreTest, IsWhatAnArrayIs) {
  EXPECT_TRUE(rc::check([] {
    ByteStore store;
    std::array<std::optional<std::byte>, kMost> model;
    for (const Change& change : *rc::gen::container<std::vector<Change>>(any_change())) {
      const std::size_t end = std::min(kMost, change.begin + change.size);
      const auto fill = std::byte{change.fill};
      if (change.put) {
        store.put(change.begin, std::vector<std::byte>(end - change.begin, fill));
      } else {
        store.erase({change.begin, end});
      }
      std::fill(model.begin() + static_cast<std::ptrdiff_t>(change.begin),
                model.begin() + static_cast<std::ptrdiff_t>(end), change.put ? std::optional(fill) : std::nullopt);

      std::array<std::byte, kMost> seen{};
      store.overlay(0, seen);
      for (std::size_t at = 0; at < kMost; ++at) {
        RC_ASSERT(seen.at(at) == model.at(at).value_or(std::byte{0}));
        RC_ASSERT(store.overlaps({at, at + 1}) == model.at(at).has_value());
        RC_ASSERT(store.covers({at, at + 1}) == model.at(at).has_value());
      }
      const auto there = std::count_if(model.begin(), model.end(), [](const auto& each) { return each.has_value(); });
      RC_ASSERT(store.size() == static_cast<std::uint64_t>(there));
      RC_ASSERT(store.empty() == (there == 0));
      RC_ASSERT(store.covers({0, kMost}) == (there == static_cast<std::ptrdiff_t>(kMost)));
    }
  }));
}

TEST(ByteStoreTest, AnEmptyRangeOverlapsNothingAndIsCovered) {
  ByteStore store;
  store.put(10, std::vector<std::byte>(10));
  EXPECT_FALSE(store.overlaps({15, 15}));
  EXPECT_TRUE(store.covers({15, 15}));
  EXPECT_FALSE(store.first_within({0, 10}));
  const auto piece = store.first_within({5, 15});
  ASSERT_TRUE(piece);
  EXPECT_EQ(piece->begin, 10U);
  EXPECT_EQ(piece->end, 15U);
}

}  // namespace
}  // namespace dmmap::mapping
