#include "store/churn.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "servers/store/content/content.h"
#include "servers/store/kv/numbers.h"
#include "servers/store/kv/view.h"
#include "servers/store/tree/tree.h"

namespace dmmap::store::testing {

namespace {

std::mt19937_64 random_of(std::uint64_t seed, std::uint64_t number) {
  std::seed_seq mixed{seed, number};
  return std::mt19937_64(mixed);
}

// Two directories besides the root, and few names in each, so that they meet.
constexpr std::array<const char*, 2> kFolders{"left", "right"};

class TreeChurn {
 public:
  TreeChurn(Transaction& transaction, std::uint64_t seed, std::uint64_t number)
      : transaction_(transaction),
        random_(random_of(seed, number)),
        tree_(transaction, {static_cast<time_t>(number), 0}) {}

  Result<void> run() {
    if (const auto root = get_inode(transaction_, kRootFile); !root) {
      return begin();
    }
    in_ = folder();
    to_ = folder();
    name_ = any_name();
    switch (random_() % 8) {
      case 0:
        return none(tree_.make(in_, name_, {.mode = S_IFREG | 0644U}));
      case 1:
        return none(tree_.make(in_, name_, {.mode = S_IFDIR | 0755U}));
      case 2:
        return none(tree_.unlink(in_, name_));
      case 3:
        return none(tree_.rmdir(in_, name_));
      case 4: {
        constexpr std::array<unsigned, 4> kFlags{0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT};
        const unsigned flags = kFlags.at(random_() % kFlags.size());
        return none(tree_.rename(in_, name_, to_, any_name(), flags));
      }
      case 5: {
        const auto made = tree_.make_unnamed(in_, {.mode = S_IFREG | 0600U});
        return !made || random_() % 2 == 0 ? none(made) : none(tree_.link(made->file, to_, name_));
      }
      case 6:
        return change_content();
      default:
        return copy();
    }
  }

 private:
  Result<void> begin() {
    if (auto made = tree_.make_root(0, 0); !made) {
      return made;
    }
    for (const char* const name : kFolders) {
      if (auto made = tree_.make(kRootFile, name, {.mode = S_IFDIR | 0755U}); !made) {
        return tl::unexpected(made.error());
      }
    }
    return {};
  }

  // What the tree refuses is as good as done, damage isn't. It has changed nothing, or else the checks will say so.
  template <class T>
  Result<void> none(const Result<T>& done) {
    return done || done.error().code != EIO ? Result<void>() : tl::unexpected(done.error());
  }

  FileId folder() {
    const auto found = Directory(kRootFile).find(transaction_, kFolders.at(random_() % kFolders.size()));
    return found && *found && random_() % 5 != 0 ? (*found)->file : kRootFile;
  }
  std::string any_name() { return "n" + std::to_string(random_() % 12); }

  std::optional<Inode> file(FileId in, const std::string& name) {
    const auto found = Directory(in).find(transaction_, name);
    if (!found || !*found || !S_ISREG((*found)->type)) {
      return std::nullopt;
    }
    const auto inode = get_inode(transaction_, (*found)->file);
    return inode ? std::optional(*inode) : std::nullopt;
  }

  Result<void> change_content() {
    auto inode = file(in_, name_);
    if (!inode) {
      return none(tree_.make(in_, name_, {.mode = S_IFREG | 0644U}));
    }
    Content content(*inode);
    const std::uint64_t offset = random_() % 300'000;
    Result<void> done;
    switch (random_() % 4) {
      case 0:
        done = none(content.resize(transaction_, offset));
        break;
      case 1:
        done = none(content.punch(transaction_, offset, offset + random_() % 100'000));
        break;
      default:
        done = content.write(transaction_, offset,
                             std::vector<std::byte>(random_() % 100'000, static_cast<std::byte>(random_())));
    }
    put_inode(transaction_, *inode);
    return done;
  }

  Result<void> copy() {
    const auto source = file(in_, name_);
    auto inode = file(to_, any_name());
    if (!source || !inode || source->file == inode->file) {
      return {};
    }
    const std::uint64_t begin = random_() % 20 * kStorePage;
    auto done = none(
        Content(*inode).share(transaction_, *source, begin, begin + random_() % 300'000, random_() % 20 * kStorePage));
    put_inode(transaction_, *inode);
    return done;
  }

  Transaction& transaction_;
  std::mt19937_64 random_;
  Tree tree_;
  FileId in_;
  FileId to_;
  std::string name_;
};

Result<void> until_done(const std::function<Result<bool>()>& step) {
  while (true) {
    const auto more = step();
    if (!more || !*more) {
      return more ? Result<void>() : tl::unexpected(more.error());
    }
  }
}

}  // namespace

Operation operation_of(std::uint64_t seed, std::uint64_t number) {
  std::mt19937_64 random = random_of(seed, number);
  Operation operation;
  operation.verb = static_cast<Verb>(random() % 3);
  operation.file = random();
  operation.page = random();
  operation.count = random() % (random() % 4 == 0 ? PageModel::kPages : 16);
  operation.source_file = random();
  operation.source_page = random();
  operation.fill = static_cast<std::uint8_t>(random());
  return fitted(operation);
}

Result<void> churn_tree(Transaction& transaction, std::uint64_t seed, std::uint64_t number) {
  return TreeChurn(transaction, seed, number).run();
}

Result<void> settle(Database& database) {
  while (true) {
    const auto orphan = next_orphan(View(database), {});
    if (!orphan) {
      return tl::unexpected(orphan.error());
    }
    if (!*orphan) {
      break;
    }
    if (auto removed = until_done([&]() -> Result<bool> {
          const auto done = remove_orphan(database, **orphan);
          return done ? Result<bool>(done->more) : tl::unexpected(done.error());
        });
        !removed) {
      return removed;
    }
  }
  return until_done([&]() -> Result<bool> {
    const auto reaped = reap_pages(database);
    return reaped ? Result<bool>(reaped->count > 0) : tl::unexpected(reaped.error());
  });
}

}  // namespace dmmap::store::testing
