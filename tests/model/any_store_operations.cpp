#include "model/any_store_operations.h"

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "model/model_runs.h"

namespace dmmap::testing {

namespace {

// How often each is to come, next to the others.
constexpr std::array kFrequencies{
    std::pair(StoreVerb::pread, 4),        std::pair(StoreVerb::pwrite, 6),        std::pair(StoreVerb::load, 4),
    std::pair(StoreVerb::store, 8),        std::pair(StoreVerb::truncate, 4),      std::pair(StoreVerb::fallocate, 5),
    std::pair(StoreVerb::sync, 3),         std::pair(StoreVerb::seek, 3),          std::pair(StoreVerb::copy_range, 6),
    std::pair(StoreVerb::cp, 3),           std::pair(StoreVerb::write_mapped, 1),  std::pair(StoreVerb::read_mapped, 1),
    std::pair(StoreVerb::stat, 1),         std::pair(StoreVerb::list, 1),          std::pair(StoreVerb::open, 3),
    std::pair(StoreVerb::leave, 3),        std::pair(StoreVerb::evict, 1),         std::pair(StoreVerb::rename, 3),
    std::pair(StoreVerb::unlink, 1),       std::pair(StoreVerb::link, 1),          std::pair(StoreVerb::snapshot, 2),
    std::pair(StoreVerb::server_unmap, 6), std::pair(StoreVerb::server_forget, 1), std::pair(StoreVerb::restart, 1),
    std::pair(StoreVerb::together, 3),
};

std::vector<StoreVerb> as_often_as_it_comes() {
  std::vector<StoreVerb> all;
  for (const auto& [verb, times] : kFrequencies) {
    all.insert(all.end(), static_cast<std::size_t>(times), verb);
  }
  return all;
}

rc::Gen<StoreOperation> any_store_operation() {
  // Most files are small, and what happens beyond their end matters less.
  const auto offsets = rc::gen::oneOf(offset_up_to(3 * StoreOperation::kPage, StoreOperation::kPage),
                                      offset_up_to(StoreOperation::kMost, StoreOperation::kPage));
  const auto whole_pages = rc::gen::map(in_range<std::uint64_t>(1, StoreOperation::kMost / StoreOperation::kPage),
                                        [](auto pages) { return pages * StoreOperation::kPage; });
  const auto sizes = rc::gen::oneOf(in_range<std::uint64_t>(1, 64),
                                    in_range<std::uint64_t>(1, 3 * StoreOperation::kPage), whole_pages);
  const auto files = in_range<std::uint32_t>(0, StoreOperation::kFiles);
  const auto names = in_range<std::uint32_t>(0, StoreOperation::kNames.size());
  static const std::vector<StoreVerb> kVerbs = as_often_as_it_comes();
  const auto verb = rc::gen::map(in_range<std::size_t>(0, kVerbs.size()), [](auto at) { return kVerbs.at(at); });
  return rc::gen::build<StoreOperation>(
      rc::gen::set(&StoreOperation::verb, verb),
      rc::gen::set(&StoreOperation::client, in_range<std::uint32_t>(0, StoreOperation::kClients)),
      rc::gen::set(&StoreOperation::file, files), rc::gen::set(&StoreOperation::name, names),
      rc::gen::set(&StoreOperation::offset, offsets), rc::gen::set(&StoreOperation::size, sizes),
      rc::gen::set(&StoreOperation::other_file, files), rc::gen::set(&StoreOperation::other_name, names),
      rc::gen::set(&StoreOperation::other_offset, offsets),
      rc::gen::set(&StoreOperation::fill, in_range<char>('a', 'z')),
      rc::gen::set(&StoreOperation::kind, in_range<unsigned>(0, 60)));
}

using Operations = std::vector<StoreOperation>;

// Some smaller values than `value`, from `least` on; whole pages among them.
std::vector<std::uint64_t> smaller(std::uint64_t value, std::uint64_t least) {
  constexpr std::uint64_t kPage = StoreOperation::kPage;
  std::vector<std::uint64_t> all{least};
  for (const std::uint64_t each : {kPage, value / kPage * kPage, value / 2}) {
    if (each > least && each < value) {
      all.push_back(each);
    }
  }
  return all;
}

std::vector<StoreOperation> simpler(const StoreOperation& operation) {
  std::vector<StoreOperation> all;
  const auto with = [&](auto member, auto value) {
    if (value < operation.*member) {
      all.push_back(operation);
      all.back().*member = value;
    }
  };
  for (const auto member : {&StoreOperation::client, &StoreOperation::file, &StoreOperation::name,
                            &StoreOperation::other_file, &StoreOperation::other_name}) {
    with(member, 0U);
    with(member, 1U);
  }
  with(&StoreOperation::fill, 'a');
  for (unsigned kind = 0; kind < 6; ++kind) {
    with(&StoreOperation::kind, kind);
  }
  for (const auto member : {&StoreOperation::offset, &StoreOperation::size, &StoreOperation::other_offset}) {
    const std::uint64_t least = member == &StoreOperation::size ? 1 : 0;
    for (const std::uint64_t value : smaller(operation.*member, least)) {
      with(member, value);
    }
  }
  return all;
}

// Where shrinking is: it goes on from there when something was left out and it still fails.
struct Place {
  int pass = 0;  // 0: operations are left out, 1: they're made simpler
  std::size_t step = 0;
  std::size_t at = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Edit {
  Place place;
  std::size_t at = 0;
  std::size_t leaves_out = 0;  // operations from `at` on, or if none:
  StoreOperation instead;
};

// All that can be tried, from `place` on and then up to it.
std::vector<Edit> edits(const Operations& operations, const Place& place) {
  std::vector<Edit> all;
  // Many at once first.
  for (std::size_t chunk = std::bit_floor(operations.size()); chunk > 0; chunk /= 2) {
    for (std::size_t at = 0; at < operations.size(); at += chunk) {
      const auto step = static_cast<std::size_t>(std::countl_zero(chunk));
      all.push_back({{0, step, at}, at, std::min(chunk, operations.size() - at), {}});
    }
  }
  for (std::size_t at = 0; at < operations.size(); ++at) {
    for (const StoreOperation& each : simpler(operations[at])) {
      all.push_back({{1, at, 0}, at, 0, each});
    }
  }
  const auto here = [&place](const Edit& edit) { return edit.place >= place; };
  std::rotate(all.begin(), std::find_if(all.begin(), all.end(), here), all.end());
  return all;
}

Operations edited(Operations operations, const Edit& edit) {
  const auto at = operations.begin() + static_cast<std::ptrdiff_t>(edit.at);
  if (edit.leaves_out > 0) {
    operations.erase(at, at + static_cast<std::ptrdiff_t>(edit.leaves_out));
  } else {
    *at = edit.instead;
  }
  return operations;
}

// By itself rapidcheck begins anew whenever less fails too, and tries as many as the square of how many there are: too
// many here, where each takes a while.
rc::Shrinkable<Operations> shrinkable(const Operations& operations, const Place& place) {
  return rc::shrinkable::lambda([operations] { return operations; },
                                [operations, place] {
                                  return rc::seq::map(rc::seq::fromContainer(edits(operations, place)),
                                                      [operations](const Edit& edit) {
                                                        return shrinkable(edited(operations, edit), edit.place);
                                                      });
                                });
}

}  // namespace

rc::Gen<Operations> any_store_operations() {
  return [all = rc::gen::container<Operations>(any_store_operation())](const rc::Random& random, int size) {
    return shrinkable(all(random, size).value(), {});
  };
}

}  // namespace dmmap::testing
