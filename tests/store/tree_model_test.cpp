// Names and inodes against maps.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <map>
#include <ostream>

#include "store/churn.h"
#include "store/tree_fixture.h"
#include "support/generators.h"

namespace dmmap::store::testing {
namespace {

// The tree as maps. Operations name directories and names by small numbers, so that they meet.
struct Step {
  int verb = 0;
  std::uint64_t directory = 0;
  std::uint64_t name = 0;
  std::uint64_t new_directory = 0;
  std::uint64_t new_name = 0;
  unsigned flags = 0;
};
constexpr std::array<const char*, 7> kVerbs{"file", "folder", "link", "unlink", "rmdir", "rename", "unnamed"};

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << kVerbs.at(static_cast<std::size_t>(step.verb)) << " " << step.directory << "/" << step.name << " to "
             << step.new_directory << "/" << step.new_name << " flags " << step.flags;
}

class Model {
 public:
  Model() { folders_[kRootFile.value]; }

  [[nodiscard]] FileId folder(std::uint64_t number) const {
    return {std::next(folders_.begin(), static_cast<std::ptrdiff_t>(number % folders_.size()))->first};
  }
  [[nodiscard]] std::optional<std::uint64_t> find(FileId in, const std::string& name) const {
    const auto& entries = folders_.at(in.value);
    const auto found = entries.find(name);
    return found == entries.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] bool is_folder(std::uint64_t file) const { return folders_.count(file) != 0; }
  [[nodiscard]] bool is_empty(std::uint64_t file) const { return folders_.at(file).empty(); }
  void put(FileId in, const std::string& name, std::uint64_t file, bool folder) {
    folders_.at(in.value)[name] = file;
    if (folder) {
      folders_[file];
    }
  }
  void drop(FileId in, const std::string& name) {
    const std::uint64_t file = folders_.at(in.value).at(name);
    folders_.at(in.value).erase(name);
    folders_.erase(file);
  }
  [[nodiscard]] bool within(std::uint64_t in, std::uint64_t file) const {
    if (in == file) {
      return true;
    }
    if (!is_folder(file)) {
      return false;
    }
    const auto& entries = folders_.at(file);
    return std::any_of(entries.begin(), entries.end(), [&](const auto& each) { return within(in, each.second); });
  }
  /// What rename(2) does. Returns its error.
  int rename(FileId in, const std::string& name, FileId to, const std::string& new_name, unsigned flags) {
    const auto file = find(in, name);
    const auto other = find(to, new_name);
    if ((flags & RENAME_EXCHANGE) != 0 && flags != RENAME_EXCHANGE) {
      return EINVAL;
    }
    if (!file || (flags == RENAME_EXCHANGE && !other)) {
      return ENOENT;
    }
    if (other && (flags & RENAME_NOREPLACE) != 0) {
      return EEXIST;
    }
    if (other == file) {
      return 0;
    }
    if (within(to.value, *file) || (flags == RENAME_EXCHANGE && within(in.value, *other))) {
      return EINVAL;
    }
    if (flags == RENAME_EXCHANGE) {
      folders_.at(in.value)[name] = *other;
      folders_.at(to.value)[new_name] = *file;
      return 0;
    }
    if (other && is_folder(*file) != is_folder(*other)) {
      return is_folder(*file) ? ENOTDIR : EISDIR;
    }
    if (other && is_folder(*other) && !is_empty(*other)) {
      return ENOTEMPTY;
    }
    if (other) {
      folders_.erase(*other);
    }
    folders_.at(in.value).erase(name);
    folders_.at(to.value)[new_name] = *file;
    return 0;
  }
  [[nodiscard]] std::string difference(const Reader& reader) const {
    for (const auto& [file, entries] : folders_) {
      const auto listed = Directory({file}).list(reader, 0, 1000);
      std::map<std::string, std::uint64_t> seen;
      for (const Named& each : listed ? *listed : std::vector<Named>()) {
        seen[each.name] = each.file.value;
      }
      if (seen != entries) {
        return "directory " + std::to_string(file);
      }
    }
    return "";
  }

 private:
  std::map<std::uint64_t, std::map<std::string, std::uint64_t>> folders_;
};

// Errors in the order that the model has them.
int apply(Store& store, Model& model, const Step& step) {
  const FileId in = model.folder(step.directory);
  const FileId to = model.folder(step.new_directory);
  const std::string name = "n" + std::to_string(step.name % 4);
  const std::string new_name = "n" + std::to_string(step.new_name % 4);
  const auto known = model.find(in, name);
  switch (step.verb) {
    case 0:
    case 1: {
      const auto made = store.make(in, name, step.verb == 0 ? kFile : kFolder);
      RC_ASSERT(code_of(made) == (known ? EEXIST : 0));
      if (made) {
        model.put(in, name, made->file.value, step.verb == 1);
      }
      return code_of(made);
    }
    case 2: {
      if (!known) {
        return ENOENT;
      }
      const auto linked = store.change([&](Tree& tree) { return tree.link({*known}, to, new_name); });
      RC_ASSERT(code_of(linked) == (model.is_folder(*known) ? EPERM : model.find(to, new_name) ? EEXIST : 0));
      if (linked) {
        model.put(to, new_name, *known, false);
      }
      return code_of(linked);
    }
    case 3:
    case 4: {
      const bool folder = step.verb == 4;
      const auto gone = store.change([&](Tree& tree) { return folder ? tree.rmdir(in, name) : tree.unlink(in, name); });
      const int wrong_type = folder ? ENOTDIR : EISDIR;
      RC_ASSERT(code_of(gone) == (!known                              ? ENOENT
                                  : model.is_folder(*known) != folder ? wrong_type
                                  : folder && !model.is_empty(*known) ? ENOTEMPTY
                                                                      : 0));
      if (gone) {
        model.drop(in, name);
      }
      return code_of(gone);
    }
    case 5: {
      const auto renamed = store.rename(in, name, to, new_name, step.flags);
      RC_ASSERT(code_of(renamed) == model.rename(in, name, to, new_name, step.flags));
      return code_of(renamed);
    }
    default: {
      const auto made = store.change([&](Tree& tree) { return tree.make_unnamed(in, {.mode = kFile}); });
      RC_ASSERT(made.has_value());
      if (step.name % 2 == 0 && !model.find(to, new_name)) {
        RC_ASSERT(store.change([&](Tree& tree) { return tree.link(made->file, to, new_name); }).has_value());
        model.put(to, new_name, made->file.value, false);
      }
      return 0;
    }
  }
}

template <class T>
rc::Gen<T> below(T beyond) {
  return dmmap::testing::in_range<T>(0, beyond);
}

TEST(TreeTest, IsWhatMapsAre) {
  EXPECT_TRUE(rc::check([] {
    Store store;
    Model model;
    const auto steps = *rc::gen::container<std::vector<Step>>(rc::gen::build<Step>(
        rc::gen::set(&Step::verb, below<int>(kVerbs.size())), rc::gen::set(&Step::directory, below<std::uint64_t>(60)),
        rc::gen::set(&Step::name, below<std::uint64_t>(4)),
        rc::gen::set(&Step::new_directory, below<std::uint64_t>(60)),
        rc::gen::set(&Step::new_name, below<std::uint64_t>(4)),
        rc::gen::set(&Step::flags, rc::gen::element(0U, 0U, 1U, 2U, 3U))));
    for (const Step& step : steps) {
      apply(store, model, step);
    }
    RC_ASSERT(model.difference(View(store.database())) == "");
    RC_ASSERT(tree_damage(View(store.database())) == "");
    RC_ASSERT(settle(store.database()).has_value());
    const auto counts = check_tree(View(store.database()), [](const std::string& text) { RC_FAIL(text); });
    RC_ASSERT(counts.has_value());
    RC_ASSERT(counts->orphans == 0U);
    RC_ASSERT(model.difference(View(store.database())) == "");
  }));
}

}  // namespace
}  // namespace dmmap::store::testing
