#include "servers/store/tree/tree_check.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "servers/store/kv/complaints.h"
#include "servers/store/kv/numbers.h"
#include "servers/store/tree/directory.h"
#include "servers/store/tree/inode.h"

namespace dmmap::store {

namespace {

// What an inode says, and what was found.
struct Seen {
  std::uint64_t file = 0;
  std::uint64_t links = 0;
  std::uint64_t size = 0;
  std::uint64_t parent = 0;
  std::uint64_t names = 0;    // entries that name it
  std::uint64_t entries = 0;  // of a directory
  std::uint64_t folders = 0;  // of these, directories
  std::uint32_t type = 0;
  bool orphan = false;
  bool excess = false;   // has pages beyond its size, and is known to
  bool reached = false;  // from the root
};

class TreeCheck {
 public:
  TreeCheck(const Reader& reader, const std::function<void(const std::string&)>& complain)
      : reader_(reader), complaints_(complain) {}

  Result<TreeCounts> run() {
    for (const auto pass :
         {&TreeCheck::read_inodes, &TreeCheck::read_orphans, &TreeCheck::read_excess, &TreeCheck::read_names,
          &TreeCheck::read_places, &TreeCheck::read_pages, &TreeCheck::read_xattrs}) {
      if (auto done = (this->*pass)(); !done) {
        return tl::unexpected(done.error());
      }
    }
    for (Seen& each : all_) {
      compare(each);
    }
    counts_.damaged = complaints_.count();
    return counts_;
  }

 private:
  Seen* find(std::uint64_t file) {
    const auto found = std::lower_bound(all_.begin(), all_.end(), file,
                                        [](const Seen& each, std::uint64_t number) { return each.file < number; });
    return found != all_.end() && found->file == file ? &*found : nullptr;
  }

  Result<void> read_inodes() {
    return for_each(reader_, Table::inodes, [&](std::string_view key, std::string_view value) {
      const auto inode = decode_inode(key, value);
      if (!inode) {
        complaints_.no_entry(Table::inodes);
        return;
      }
      ++(inode->is_directory() ? counts_.directories : counts_.files);
      Seen seen;
      seen.file = inode->file.value;
      seen.links = inode->links;
      seen.size = inode->size;
      seen.parent = inode->parent.value;
      seen.type = inode->mode & S_IFMT;
      all_.push_back(seen);
      pages_.push_back(inode->pages);
    });
  }

  // A table that has some of the files, and says no more of them.
  Result<void> read_marks(Table table, bool Seen::*mark) {
    return for_each(reader_, table, [&](std::string_view key, std::string_view /*value*/) {
      const auto file = decode<1>(key);
      Seen* const seen = file ? find((*file)[0]) : nullptr;
      if (seen == nullptr) {
        complaints_.no_entry(table);
        return;
      }
      seen->*mark = true;
    });
  }
  Result<void> read_orphans() { return read_marks(Table::orphans, &Seen::orphan); }
  Result<void> read_excess() { return read_marks(Table::excess, &Seen::excess); }

  Result<void> read_names() {
    return for_each(reader_, Table::names, [&](std::string_view key, std::string_view value) {
      const auto directory = decode<1>(key.substr(0, kNumberSize));
      const auto entry = decode<3>(value);
      if (!directory || !entry || key.size() == kNumberSize || key.size() > kNumberSize + kLongestName) {
        complaints_.no_entry(Table::names);
        return;
      }
      const std::string_view name = key.substr(kNumberSize);
      const auto [file, type, position] = *entry;
      Seen* const in = find((*directory)[0]);
      Seen* const named = find(file);
      if (in == nullptr || !S_ISDIR(in->type)) {
        complaints_.wrong(fmt::format("the name \"{}\" is in {}, which is no directory", name, (*directory)[0]));
        return;
      }
      ++in->entries;
      if (named == nullptr || named->type != type) {
        complaints_.wrong(fmt::format("the name \"{}\" in directory {} is of file {}, which is {}", name, in->file,
                                      file, named == nullptr ? "missing" : "of another type"));
        return;
      }
      ++named->names;
      if (S_ISDIR(named->type)) {
        ++in->folders;
        if (named->parent != in->file) {
          complaints_.wrong(
              fmt::format("directory {} is in {}, and says that it's in {}", file, in->file, named->parent));
        }
      }
      const auto place = reader_.get(Table::places, encode({in->file, position}));
      if (!place || !*place || **place != name) {
        complaints_.wrong(fmt::format("the name \"{}\" in directory {} isn't listed", name, in->file));
      }
    });
  }

  // Those of the names were found with the names: there must be as many.
  Result<void> read_places() {
    std::vector<std::uint64_t> listed(all_.size());
    auto done = for_each(reader_, Table::places, [&](std::string_view key, std::string_view /*value*/) {
      const auto numbers = decode<2>(key);
      const Seen* const in = numbers ? find((*numbers)[0]) : nullptr;
      if (in == nullptr) {
        complaints_.no_entry(Table::places);
        return;
      }
      ++listed[static_cast<std::size_t>(in - all_.data())];
    });
    for (std::size_t each = 0; each < all_.size(); ++each) {
      if (listed[each] != all_[each].entries) {
        complaints_.wrong(
            fmt::format("directory {} lists {} names, and has {}", all_[each].file, listed[each], all_[each].entries));
      }
    }
    return done;
  }

  Result<void> read_pages() {
    std::vector<std::uint64_t> counted(all_.size());
    std::vector<std::uint64_t> ends(all_.size());
    auto done = for_each(reader_, Table::lists, [&](std::string_view key, std::string_view value) {
      const auto list = decode<2>(key);
      const auto run = decode<2>(value);
      const Seen* const seen = list ? find((*list)[0]) : nullptr;
      if (seen == nullptr || !run) {
        complaints_.no_entry(Table::lists);
        return;
      }
      const auto index = static_cast<std::size_t>(seen - all_.data());
      counted[index] += (*run)[0];
      ends[index] = (*list)[1] + (*run)[0];
    });
    for (std::size_t each = 0; each < all_.size(); ++each) {
      if (counted[each] != pages_[each]) {
        complaints_.wrong(
            fmt::format("file {} has {} pages, and says that it has {}", all_[each].file, counted[each], pages_[each]));
      }
      if (ends[each] > (all_[each].size + kStorePage - 1) / kStorePage && !all_[each].excess) {
        complaints_.wrong(fmt::format("file {} has pages beyond its size", all_[each].file));
      }
    }
    return done;
  }

  Result<void> read_xattrs() {
    return for_each(reader_, Table::xattrs, [&](std::string_view key, std::string_view /*value*/) {
      const auto file = decode<1>(key.substr(0, kNumberSize));
      if (!file || find((*file)[0]) == nullptr) {
        complaints_.no_entry(Table::xattrs);
      }
    });
  }

  // Marks what is above it as well, so that each is looked at once.
  // An orphan is as good as the root: a snapshot is built in one.
  bool is_below_root(Seen& directory) {
    std::vector<Seen*> above;
    Seen* at = &directory;
    while (at != nullptr && !at->reached && !at->orphan && at->file != kRootFile.value && above.size() <= all_.size()) {
      above.push_back(at);
      at = find(at->parent);
    }
    if (at == nullptr || above.size() > all_.size()) {
      return false;
    }
    for (Seen* const each : above) {
      each->reached = true;
    }
    return true;
  }

  void compare(Seen& seen) {
    const bool directory = S_ISDIR(seen.type);
    counts_.orphans += seen.orphan ? 1U : 0U;
    const bool root = seen.file == kRootFile.value;
    const std::uint64_t own = root || seen.names != 0 ? 2 : 0;
    const std::uint64_t links = directory ? own + seen.folders : seen.names;
    if (seen.links != links) {
      complaints_.wrong(fmt::format("file {} has {} links, and says that it has {}", seen.file, links, seen.links));
    }
    if (seen.orphan != (seen.names == 0 && !root)) {
      complaints_.wrong(
          fmt::format("file {} has {} names, and is {} orphan", seen.file, seen.names, seen.orphan ? "an" : "no"));
    }
    if (!directory) {
      return;
    }
    if (seen.names > 1) {
      complaints_.wrong(fmt::format("directory {} has {} names", seen.file, seen.names));
    }
    if (seen.size != seen.entries) {
      complaints_.wrong(
          fmt::format("directory {} has {} names in it, and says that it has {}", seen.file, seen.entries, seen.size));
    }
    if (!seen.orphan && !is_below_root(seen)) {
      complaints_.wrong(fmt::format("directory {} isn't below the root", seen.file));
    }
  }

  const Reader& reader_;
  Complaints complaints_;
  std::vector<Seen> all_;  // by their numbers
  std::vector<std::uint64_t> pages_;
  TreeCounts counts_;
};

}  // namespace

Result<TreeCounts> check_tree(const Reader& reader, const std::function<void(const std::string&)>& complain) {
  return TreeCheck(reader, complain).run();
}

}  // namespace dmmap::store
