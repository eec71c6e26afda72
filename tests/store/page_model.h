// Files of pages as plain vectors, and operations that are done to them and to a store alike.
#pragma once

#include <array>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "servers/store/kv/transaction.h"

namespace dmmap::store::testing {

enum class Verb { write, share, punch };

struct Operation {
  Verb verb = Verb::write;
  std::uint64_t file = 0;
  std::uint64_t page = 0;
  std::uint64_t count = 0;
  std::uint64_t source_file = 0;
  std::uint64_t source_page = 0;
  std::uint8_t fill = 0;
};
std::ostream& operator<<(std::ostream& out, const Operation& operation);

/// The operation in the range of the model's files, so that any numbers make a good one.
[[nodiscard]] Operation fitted(Operation operation);

class PageModel {
 public:
  static constexpr std::uint64_t kFiles = 3;
  static constexpr std::uint64_t kPages = 400;  // some of whose runs are longer than what is freed at once

  void apply(const Operation& operation);
  [[nodiscard]] std::int64_t pages_of(std::uint64_t file) const;
  /// How the store differs, or "".
  [[nodiscard]] std::string difference(const Reader& reader) const;

 private:
  std::array<std::array<std::optional<std::uint8_t>, kPages>, kFiles> files_{};  // what each page is filled with
};

/// Returns how many pages more the file has.
Result<std::int64_t> apply(Transaction& transaction, const Operation& operation);
/// What check_pages() complains of.
[[nodiscard]] std::string damage(const Reader& reader);

}  // namespace dmmap::store::testing
