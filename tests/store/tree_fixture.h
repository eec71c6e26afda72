// A store with a tree, for tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "servers/store/kv/view.h"
#include "servers/store/tree/tree.h"
#include "servers/store/tree/tree_check.h"
#include "support/temporary_directory.h"

namespace dmmap::store::testing {

inline constexpr std::uint32_t kFile = S_IFREG | 0644U;
inline constexpr std::uint32_t kFolder = S_IFDIR | 0755U;

/// What check_tree() complains of.
inline std::string tree_damage(const Reader& reader) {
  std::string all;
  const auto counts = check_tree(reader, [&](const std::string& text) { all += text + "\n"; });
  return counts ? all : all + counts.error().message;
}

/// A store in a folder of its own, with a root directory.
class Store {
 public:
  Store() : database_(std::move(*Database::open(folder_.path() / "store", {.create = true}))) {
    EXPECT_TRUE(change([](Tree& tree) { return tree.make_root(0, 0); }));
  }
  [[nodiscard]] Database& database() const { return *database_; }

  /// What `call` returns, committed if it succeeded.
  template <class Call>
  auto change(const Call& call) -> std::invoke_result_t<Call, Tree&> {
    Transaction transaction(*database_);
    Tree tree(transaction, {++seconds_, 5});
    auto done = call(tree);
    if (done) {
      if (auto committed = transaction.commit(); !committed) {
        return tl::unexpected(committed.error());
      }
    }
    return done;
  }
  Result<Inode> make(FileId directory, const std::string& name, std::uint32_t mode = kFile) {
    return change([&](Tree& tree) { return tree.make(directory, name, {.mode = mode}); });
  }
  auto rename(FileId directory, const std::string& name, FileId to, const std::string& new_name, unsigned flags = 0) {
    return change([&](Tree& tree) { return tree.rename(directory, name, to, new_name, flags); });
  }
  [[nodiscard]] Inode inode(FileId file) const {
    const auto found = get_inode(View(*database_), file);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(Inode{});
  }
  [[nodiscard]] std::optional<FileId> find(FileId directory, const std::string& name) const {
    const auto entry = Directory(directory).find(View(*database_), name);
    return entry && *entry ? std::optional((*entry)->file) : std::nullopt;
  }

 private:
  dmmap::testing::TemporaryDirectory folder_;
  std::unique_ptr<Database> database_;
  time_t seconds_ = 1000;
};

template <class T>
int code_of(const Result<T>& result) {
  return result ? 0 : result.error().code;
}

}  // namespace dmmap::store::testing
