// Complaints: what a check of a store finds wrong, told one by one, and counted.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "servers/store/kv/table.h"

namespace dmmap::store {

class Complaints {
 public:
  explicit Complaints(std::function<void(const std::string&)> complain) : complain_(std::move(complain)) {}

  void wrong(const std::string& what) {
    ++count_;
    complain_(what);
  }
  void no_entry(Table table) { wrong(fmt::format("an entry of the table of {} is none", name_of(table))); }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  const std::function<void(const std::string&)> complain_;
  std::uint64_t count_ = 0;
};

}  // namespace dmmap::store
